"""Flat pieces of a car's face, and the few ways to put them together.

A patch is (outline [n, 2] in metres, colour); in a list of patches the lowest layer comes first.
"""

from collections.abc import Iterator

import numpy as np

from car_retrieval.sample.brush import Colour
from car_retrieval.sample.camera import Points
from car_retrieval.sample.shapes import box, place

Patch = tuple[Points, Colour]

CHROME: Colour = (205, 208, 212)
STEEL: Colour = (128, 132, 138)
HOLE: Colour = (20, 21, 25)
LENS: Colour = (226, 232, 236)
BULB: Colour = (255, 255, 246)
BEZEL: Colour = (58, 62, 70)


def moved(
    patches: list[Patch], x: float, y: float, turn: float = 0.0, mirror: bool = False
) -> list[Patch]:
    """Turn patches (radians), move them, and perhaps mirror them in x = 0."""
    return [(place(outline, x, y, turn, mirror), colour) for outline, colour in patches]


def rows(w: float, h: float, count: int, colour: Colour, thick: float) -> Iterator[Patch]:
    """Horizontal bars, evenly spaced within half sizes."""
    for y in np.linspace(-h, h, count + 2)[1:-1]:
        yield place(box(w, thick), 0, float(y)), colour


def columns(w: float, h: float, count: int, colour: Colour, thick: float) -> Iterator[Patch]:
    """Upright bars, evenly spaced within half sizes."""
    for x in np.linspace(-w, w, count + 2)[1:-1]:
        yield place(box(thick, h), float(x), 0), colour


def framed(outline: Points, hole: float = 0.89, colour: Colour = HOLE) -> list[Patch]:
    """A chrome rim around a dark opening of `hole` times its size."""
    return [(outline, CHROME), (outline * hole, colour)]
