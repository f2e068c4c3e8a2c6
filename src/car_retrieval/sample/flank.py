"""A car's side: doors, sills and wheels."""

from math import pi

import numpy as np

from car_retrieval.sample.body import Body, spread, stacked
from car_retrieval.sample.brush import Brush, Colour, mix
from car_retrieval.sample.camera import Points
from car_retrieval.sample.patches import CHROME
from car_retrieval.sample.shapes import ellipse

TYRE: Colour = (24, 24, 26)
RIM: Colour = (176, 180, 186)


def paint_flank(brush: Brush, body: Body, paint: Colour, side: int) -> None:
    """Paint one side: 1 for positive x, -1 for negative."""
    car = body.car
    brush.skin(body.flank(side, np.linspace(0, 1, 13), spread(0, 1, 8)), paint)
    seam = mix(paint, (0, 0, 0), 0.4)
    sill = body.flank(side, np.array([0.1, 0.9, 0.9, 0.1]), np.array([0.0, 0.0, 0.13, 0.13]))
    brush.fill(sill, (48, 49, 52) if car.cladding else mix(paint, (0, 0, 0), 0.5))
    doors = np.linspace(body.cowl_z - 0.12, max(body.deck_z, body.axles[1] + 0.35), 3)
    if car.body in ("coupe", "pickup"):
        doors = doors[[0, 2]]
    for z in doors:
        at = body.along(float(z))
        brush.line(body.flank(side, np.full(5, at), np.linspace(0.13, 0.99, 5)), seam, 0.014)
    for z in doors[:-1]:
        at = body.along(float(z) - (doors[0] - doors[1]) * 0.85)
        handle = body.flank(side, np.array([at, at + 0.035]), np.full(2, 0.8))
        brush.line(handle, CHROME, 0.03)
    along = np.linspace(0.06, 0.94, 6)
    brush.line(body.flank(side, along, np.full(6, 0.7)), mix(paint, (255, 255, 255), 0.2), 0.014)
    for z in body.axles:
        _wheel(brush, body, z, side)


def paint_treads(brush: Brush, body: Body, ahead: bool) -> None:
    """The wheels seen from before or behind, and those of the far side."""
    radius = body.car.wheel
    turn = np.linspace(-pi / 2, 0.3, 6)
    facing = 1 if ahead else -1
    for z in body.axles:
        for side in (-1, 1):
            brush.fill(_disc(body, z, side, radius, 0.28), TYRE)
            outer = float(body.half_width(radius)) - 0.05
            y, bend = radius + radius * np.sin(turn), z + facing * radius * np.cos(turn)
            rows = [stacked(side * x, y, bend) for x in (outer, outer - 0.22)]
            brush.fill(np.concatenate([rows[0], rows[1][::-1]]), TYRE)


def _wheel(brush: Brush, body: Body, z: float, side: int) -> None:
    radius = body.car.wheel
    arch = _disc(body, z, side, radius * 1.17, 0.0)
    brush.fill(arch[arch[:, 1] > body.car.clearance * 0.9], (14, 14, 16))
    brush.fill(_disc(body, z, side, radius, 0.05), TYRE)
    brush.fill(_disc(body, z, side, radius * 0.68, 0.05), RIM)
    centre = np.array([[side * (body.half_width(radius) - 0.05), radius, z]])
    for spoke in range(body.car.spokes):
        angles = 2 * pi * (spoke + np.array([0.3, 0.7])) / body.car.spokes
        gap = np.stack(
            [np.zeros(2), np.sin(angles) * radius * 0.56, np.cos(angles) * radius * 0.56], axis=1
        )
        inner = centre + gap.mean(axis=0, keepdims=True) * 0.35
        brush.fill(np.concatenate([inner, centre + gap]), (58, 60, 66))


def _disc(
    body: Body, z: float, side: int, radius: float, inset: float, corners: int = 28
) -> Points:
    flat = ellipse(radius, radius, corners)
    x = side * (body.half_width(body.car.wheel) - inset)
    return stacked(x, flat[:, 1] + body.car.wheel, flat[:, 0] + z)
