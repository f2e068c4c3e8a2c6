"""A pinhole camera that looks at a car standing on the ground."""

from dataclasses import dataclass, replace
from math import cos, sin
from typing import Self

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """Where the photographer stands, and how the car lands on the picture.

    The car's axes: x across, y up from the ground, z towards its nose; metres.

    Attributes:
        yaw: Turn of the car in radians: 0 shows its front, pi/2 a side, pi the rear.
        pitch: How far the camera looks down, radians.
        roll: Tilt of the picture, radians.
        distance: From the car's middle, metres.
        scale: Pixels per unit of x/depth.
        shift: Pixel where the car's middle lands.
    """

    yaw: float
    pitch: float
    roll: float
    distance: float
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)

    def turn(self, points: Points) -> Points:
        """Rotate points or directions [..., 3] from the car's axes to the viewer's."""
        x, y, z = points[..., 0], points[..., 1], points[..., 2]
        across = x * cos(self.yaw) + z * sin(self.yaw)
        towards = z * cos(self.yaw) - x * sin(self.yaw)
        up = y * cos(self.pitch) - towards * sin(self.pitch)
        return np.stack([across, up, towards * cos(self.pitch) + y * sin(self.pitch)], axis=-1)

    def project(self, points: Points) -> Points:
        """Pixel coordinates [..., 2] of points [..., 3]; y runs down."""
        seen = self.turn(points)
        depth = np.maximum(self.distance - seen[..., 2], 0.5)
        across, down = seen[..., 0] / depth, -seen[..., 1] / depth
        x = across * cos(self.roll) - down * sin(self.roll)
        y = across * sin(self.roll) + down * cos(self.roll)
        return np.stack([x * self.scale + self.shift[0], y * self.scale + self.shift[1]], axis=-1)

    def fit(
        self, points: Points, size: tuple[int, int], fill: float, place: tuple[float, float]
    ) -> Self:
        """Zoom and shift so that all points lie inside the picture.

        Args:
            points: Outline of the car, [n, 3].
            size: Picture width and height in pixels.
            fill: Share of the picture that the tighter side of the car takes, 0 to 1.
            place: Where the free room goes: (0, 0) top left, (1, 1) bottom right.

        Returns:
            The same camera with another scale and shift.
        """
        raw = replace(self, scale=1.0, shift=(0.0, 0.0)).project(points)
        low, high = raw.min(axis=0), raw.max(axis=0)
        extent = high - low
        scale = fill * min(size[0] / extent[0], size[1] / extent[1])
        shift = [(size[i] - scale * extent[i]) * place[i] - scale * low[i] for i in range(2)]
        return replace(self, scale=float(scale), shift=(float(shift[0]), float(shift[1])))
