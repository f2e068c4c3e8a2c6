"""Flat outlines: polygons of shape [n, 2] around the origin, about one unit in half size."""

from math import cos, pi, sin

import numpy as np

from car_retrieval.sample.camera import Points


def ellipse(width: float = 1.0, height: float = 1.0, corners: int = 20) -> Points:
    """A regular polygon with its first corner at the top, stretched to half sizes."""
    angles = np.arange(corners) * (2 * pi / corners) + pi / 2
    return np.stack([width * np.cos(angles), height * np.sin(angles)], axis=1)


def box(width: float = 1.0, height: float = 1.0, top: float = 1.0) -> Points:
    """A rectangle of half sizes, its upper edge scaled by `top` (a trapezium if not 1)."""
    return np.array(
        [[-width, -height], [width, -height], [width * top, height], [-width * top, height]]
    )


def rounded(width: float, height: float, radius: float) -> Points:
    """A rectangle of half sizes with rounded corners."""
    radius = min(radius, width, height)
    corners = []
    for quarter, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        for step in range(4):
            angle = (quarter + step / 3) * pi / 2
            corners.append(
                [
                    sx * (width - radius) + radius * cos(angle),
                    sy * (height - radius) + radius * sin(angle),
                ]
            )
    return np.array(corners)


def star(size: float, corners: int, waist: float) -> Points:
    """A star whose inner corners lie at `waist` of its size."""
    radii = np.where(np.arange(2 * corners) % 2 == 0, size, size * waist)
    return ellipse(corners=2 * corners) * radii[:, None]


def polygon(*corners: tuple[float, float]) -> Points:
    """A polygon from its corners."""
    return np.array(corners, dtype=np.float64)


def place(outline: Points, x: float, y: float, turn: float = 0.0, mirror: bool = False) -> Points:
    """Turn an outline (radians, counter-clockwise), move it, and perhaps mirror it in x = 0."""
    across = outline[:, 0] * cos(turn) - outline[:, 1] * sin(turn) + x
    up = outline[:, 0] * sin(turn) + outline[:, 1] * cos(turn) + y
    return np.stack([-across if mirror else across, up], axis=1)


def dense(outline: Points, steps: int = 4) -> Points:
    """Cut each edge into `steps`, so that it can bend with the surface it is laid on."""
    ahead = np.roll(outline, -1, axis=0)
    shares = np.arange(steps)[None, :, None] / steps
    return (outline[:, None] * (1 - shares) + ahead[:, None] * shares).reshape(-1, 2)
