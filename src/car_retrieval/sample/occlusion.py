"""Things that stand in front of a car and hide a part of it."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from car_retrieval.sample.brush import Colour
from car_retrieval.sample.stage import choice, tint

Box = tuple[int, int, int, int]
Occluder = Callable[[ImageDraw.ImageDraw, np.random.Generator, int, Box], None]


def occlude(image: Image.Image, rng: np.random.Generator, car: Box) -> None:
    """Put a post, a cone, a twig or a passer-by before the car's box."""
    occluders: tuple[Occluder, ...] = (_post, _cone, _twig, _walker)
    x = car[0] + int((car[2] - car[0]) * rng.uniform(0.08, 0.92))
    choice(rng, occluders)(ImageDraw.Draw(image), rng, x, car)


def _any_colour(rng: np.random.Generator) -> Colour:
    return tint(rng, (125, 125, 125), 95)


def _post(draw: ImageDraw.ImageDraw, rng: np.random.Generator, x: int, car: Box) -> None:
    left, top, right, bottom = car
    half = max(1, (right - left) // 60)
    top -= (bottom - top) // 3
    draw.rectangle([x - half, top, x + half, bottom], fill=_any_colour(rng))


def _cone(draw: ImageDraw.ImageDraw, rng: np.random.Generator, x: int, car: Box) -> None:
    left, top, right, bottom = car
    w, h = (right - left) // 14, (bottom - top) // 5
    y = bottom + h // 6
    draw.polygon([(x - w, y), (x + w, y), (x + w // 5, y - h), (x - w // 5, y - h)], (232, 92, 30))
    low, high = (w * 2 // 3, y - h // 3), (w // 2, y - h // 2)
    stripe = [(x - low[0], low[1]), (x + low[0], low[1]), (x + high[0], high[1])]
    draw.polygon([*stripe, (x - high[0], high[1])], (240, 240, 236))


def _twig(draw: ImageDraw.ImageDraw, rng: np.random.Generator, x: int, car: Box) -> None:
    left, top, right, bottom = car
    width, tip = right - left, top + (bottom - top) // 6
    start = x + int(rng.integers(-width // 5, width // 5 + 1))
    draw.line([(start, 0), (x, tip)], (84, 64, 48), max(1, width // 90))
    leaf, r = tint(rng, (70, 120, 60), 14), max(1, width // 36)
    for k in range(14):
        dx, dy = (int(d) for d in rng.integers(-r, r + 1, 2))
        cx, cy = start + (x - start) * k // 13 + 2 * dx, tip * k // 13 + dy
        draw.ellipse([cx - r, cy - r // 2, cx + r, cy + r // 2], leaf)


def _walker(draw: ImageDraw.ImageDraw, rng: np.random.Generator, x: int, car: Box) -> None:
    left, top, right, bottom = car
    w, height = max(3, (right - left) // 16), bottom - top
    foot = bottom + height // 40
    hip, neck = foot - height // 4, foot - height * 4 // 7
    draw.rectangle([x - w // 2, hip, x + w // 2, foot], (40, 44, 60))
    draw.rounded_rectangle([x - w, neck, x + w, hip], w // 2, _any_colour(rng))
    draw.ellipse([x - w // 2, neck - w, x + w // 2, neck], (206, 164, 136))
