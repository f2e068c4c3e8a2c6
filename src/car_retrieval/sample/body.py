"""The car's skin in space: a few curved surfaces spanned by the traits of its model."""

import numpy as np
from numpy.typing import ArrayLike

from car_retrieval.sample.camera import Points
from car_retrieval.sample.models import CarModel


def spread(low: float, high: float, steps: int) -> Points:
    """Evenly spaced values as a column, for broadcasting against a row."""
    return np.linspace(low, high, steps)[:, None]


def stacked(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Points:
    """Broadcast three coordinates into points [..., 3]."""
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1).astype(np.float64)


class Body:
    """Surfaces of one model: grids of points [rows, columns, 3] and maps onto the skin.

    Axes as in `Camera`: x across, y up, z towards the nose; metres; the middle is the origin.
    """

    def __init__(self, car: CarModel) -> None:
        self.car = car
        self.ahead = car.length / 2
        self.cowl_z = self.ahead - car.bonnet
        self.roof_front = self.cowl_z - car.rake
        self.deck_z = -self.ahead + car.boot
        self.roof_rear = min(self.deck_z + car.rear_rake, self.roof_front - 0.5)
        self.roof_half = car.width / 2 * car.roof_width
        self.axles = (self.ahead - 0.78 - 0.03 * car.bonnet, -self.ahead + 0.2 * car.length)
        booted = car.boot > 0.2
        self.tail_top = car.belt * (1.0 if booted else 0.97)
        self.front_plate = car.clearance + 0.36 * (car.nose - car.clearance)
        self.rear_plate = car.clearance + (0.62 if booted else 0.45) * (
            self.tail_top - car.clearance
        )

    def half_width(self, y: ArrayLike) -> Points:
        """Half the body's width at a height: widest below the belt, tucked in at the sill."""
        share = (np.asarray(y, dtype=np.float64) - self.car.clearance) / (
            self.car.belt - self.car.clearance
        )
        return self.car.width / 2 * (1 - 0.17 * (np.clip(share, 0, 1.2) - 0.55) ** 2)

    def nose(self, x: ArrayLike, y: ArrayLike) -> Points:
        """Lay points of the front elevation on the curved face."""
        y = np.clip(y, self.car.clearance, self.car.nose)
        half = self.half_width(y)
        across = np.clip(np.asarray(x) / half, -1, 1)
        share = (y - self.car.clearance) / (self.car.nose - self.car.clearance)
        lean = 0.13 * (share - 0.3) ** 2
        return stacked(
            across * half, y, self.ahead - lean - self.car.roundness * np.abs(across) ** 3
        )

    def tail(self, x: ArrayLike, y: ArrayLike) -> Points:
        """Lay points of the rear elevation on the curved back."""
        y = np.clip(y, self.car.clearance, self.tail_top)
        half = self.half_width(y)
        across = np.clip(np.asarray(x) / half, -1, 1)
        share = (y - self.car.clearance) / (self.tail_top - self.car.clearance)
        lean = 0.12 * (share - 0.35) ** 2
        return stacked(across * half, y, -self.ahead + lean + 0.16 * np.abs(across) ** 3)

    def front(self) -> Points:
        """The face, from the sill to the bonnet's edge."""
        y = spread(self.car.clearance, self.car.nose, 12)
        return self.nose(self.half_width(y) * np.linspace(-1, 1, 17), y)

    def back(self) -> Points:
        """The tail, from the sill to the boot's edge."""
        y = spread(self.car.clearance, self.tail_top, 11)
        return self.tail(self.half_width(y) * np.linspace(-1, 1, 15), y)

    def hood(self, u: ArrayLike, t: ArrayLike) -> Points:
        """Lay u (-1 to 1 across) and t (0 nose to 1 windscreen) on the bonnet."""
        u, t = np.asarray(u), np.asarray(t)
        car, edge = self.car, self.nose(u * self.half_width(self.car.nose), self.car.nose)
        x = u * ((1 - t) * self.half_width(car.nose) + t * self.half_width(car.belt))
        arch = (0.05 * np.sin(np.pi * t) + 0.04 * t) * (1 - u**2)
        y = car.nose + (car.belt - car.nose) * t + arch
        return stacked(x, y, edge[..., 2] * (1 - t) + self.cowl_z * t)

    def screen(self, u: ArrayLike, t: ArrayLike) -> Points:
        """Lay u (-1 to 1) and t (0 bottom to 1 roof) on the windscreen."""
        low, low_z = (self.half_width(self.car.belt), self.car.belt), self.cowl_z
        return self._slope(u, t, low, low_z, self.roof_front, 1.0)

    def rear_screen(self, u: ArrayLike, t: ArrayLike) -> Points:
        """Lay u (-1 to 1) and t (0 bottom to 1 roof) on the rear window."""
        low = (self.half_width(self.car.belt), self.tail_top)
        return self._slope(u, t, low, self.deck_z, self.roof_rear, -1.0)

    def roof(self) -> Points:
        """The roof, from the windscreen to the rear window."""
        u = np.linspace(-1, 1, 9)
        t = spread(0, 1, 5)
        z = self.roof_front * (1 - t) + self.roof_rear * t - 0.1 * u**2 * (1 - 2 * t)
        arch = 0.03 * np.sin(np.pi * t)
        return stacked(u * self.roof_half, self.car.height + arch - 0.05 * u**2, z)

    def deck(self) -> Points:
        """The boot lid (or a pickup's bed)."""
        u, t = np.linspace(-1, 1, 7), spread(0, 1, 4)
        edge = self.tail(u * self.half_width(self.tail_top), self.tail_top)
        x = u * (self.half_width(self.tail_top) * t + self.half_width(self.car.belt) * (1 - t))
        return stacked(
            x, self.tail_top + 0.03 * (1 - u**2) * (1 - t), self.deck_z * (1 - t) + edge[..., 2] * t
        )

    def flank(self, side: int, along: ArrayLike, up: ArrayLike) -> Points:
        """Lay along (0 tail to 1 nose) and up (0 sill to 1 belt line) on a side."""
        along, up = np.asarray(along), np.asarray(up)
        guess = self._flank_z(along, self.car.nose * 0.6)
        knots = [-self.ahead, self.deck_z, self.cowl_z, self.ahead - self.car.roundness]
        top = np.interp(guess, knots, [self.tail_top, self.tail_top, self.car.belt, self.car.nose])
        y = self.car.clearance + (top - self.car.clearance) * up
        return stacked(side * self.half_width(y), y, self._flank_z(along, y))

    def along(self, z: float) -> float:
        """The flank's `along` at a z."""
        low, high = (self._flank_z(np.asarray(end), self.car.nose * 0.6) for end in (0.0, 1.0))
        return float((z - low) / (high - low))

    def cabin(self, side: int, along: ArrayLike, up: ArrayLike) -> Points:
        """Lay along (0 windscreen to 1 rear window) and up (0 belt to 1 roof) on a side window."""
        along, up = np.asarray(along), np.asarray(up)
        low = self.half_width(self.car.belt)
        x = low * (1 - up) + self.roof_half * up
        bottom = self.cowl_z * (1 - along) + self.deck_z * along
        top = (self.roof_front - 0.1) * (1 - along) + (self.roof_rear + 0.1) * along
        base = self.car.belt * (1 - along) + self.tail_top * along
        return stacked(
            side * x, base * (1 - up) + (self.car.height - 0.05) * up, bottom * (1 - up) + top * up
        )

    def _flank_z(self, along: Points, y: ArrayLike) -> Points:
        rear = self.tail(self.half_width(y), np.minimum(y, self.tail_top))[..., 2]
        front = self.nose(self.half_width(y), np.minimum(y, self.car.nose))[..., 2]
        return rear * (1 - along) + front * along

    def _slope(
        self,
        u: ArrayLike,
        t: ArrayLike,
        low: tuple[Points, float],
        low_z: float,
        high_z: float,
        facing: float,
    ) -> Points:
        u, t = np.asarray(u), np.asarray(t)
        x = u * (low[0] * (1 - t) + self.roof_half * t)
        y = low[1] * (1 - t) + self.car.height * t - 0.05 * u**2 * t + 0.04 * (1 - t) * (1 - u**2)
        return stacked(x, y, low_z * (1 - t) + high_z * t - facing * 0.1 * u**2 * t)
