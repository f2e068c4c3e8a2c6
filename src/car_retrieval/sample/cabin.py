"""The glasshouse: roof, windscreen or rear window, side windows, rails."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from car_retrieval.sample.body import Body, spread, stacked
from car_retrieval.sample.brush import Brush, Colour, mix
from car_retrieval.sample.camera import Points
from car_retrieval.sample.patches import HOLE
from car_retrieval.sample.shapes import place, rounded

Skin = Callable[[ArrayLike, ArrayLike], Points]

GLASS: Colour = (38, 46, 58)
SEATS: Colour = (26, 29, 35)
SKY: Colour = (150, 168, 190)
RAILS: Colour = (60, 62, 66)
SIDE_WINDOWS = {"coupe": 1, "pickup": 1, "sedan": 2, "hatchback": 2, "suv": 3, "van": 3}


def paint_cabin(brush: Brush, body: Body, paint: Colour) -> None:
    """Paint what stands above the belt line; of each pair of sides the one that is seen."""
    across, _, along = brush.camera.turn(np.eye(3))[:, 2]
    brush.skin(body.roof(), paint)
    if abs(across) > 0.1:
        _side_windows(brush, body, paint, 1 if across > 0 else -1)
    screen = body.screen if along > 0 else body.rear_screen
    brush.skin(screen(np.linspace(-1, 1, 9), spread(0, 1, 5)), paint)
    _glass(brush, screen, -0.9, 0.9, (0.05, 0.93))
    for x in (-0.42, 0.42):
        _inside(brush, screen, place(rounded(0.15, 0.13, 0.06), x, 0.5), mix(SEATS, SKY, 0.12))
    if along > 0:
        _inside(brush, screen, place(rounded(0.09, 0.035, 0.02), 0.0, 0.84), SEATS)
    if along > 0.3:
        for x in (-0.62, 0.1):
            brush.line(screen(np.array([x, x + 0.5]), np.array([0.05, 0.12])), HOLE, 0.02)
    if body.car.rails:
        z = np.linspace(body.roof_front - 0.15, body.roof_rear, 4)
        for x in (-0.93 * body.roof_half, 0.93 * body.roof_half):
            brush.line(stacked(x, body.car.height + 0.03, z), RAILS, 0.05)


def _side_windows(brush: Brush, body: Body, paint: Colour, side: int) -> None:
    skin = partial(body.cabin, side)
    brush.skin(skin(np.linspace(0, 1, 9), spread(0, 1, 4)), paint)
    pillars = np.linspace(0.05, 0.95, SIDE_WINDOWS[body.car.body] + 1).tolist()
    for left, right in pairwise(pillars):
        _glass(brush, skin, left + 0.015, right - 0.015, (0.05, 0.86))


def _glass(brush: Brush, skin: Skin, left: float, right: float, rise: tuple[float, float]) -> None:
    """A window in rows that mirror more of the sky towards the top."""
    levels = np.linspace(*rise, 9)
    across = np.array([left, (left + right) / 2, right])
    for row, (below, above) in enumerate(pairwise(levels)):
        strip = np.concatenate([skin(across, below), skin(across[::-1], above)])
        brush.fill(strip, mix(GLASS, SKY, 0.1 + 0.5 * (row / 8) ** 1.6))


def _inside(brush: Brush, skin: Skin, shape: Points, colour: Colour) -> None:
    brush.fill(skin(shape[:, 0], shape[:, 1]), colour)
