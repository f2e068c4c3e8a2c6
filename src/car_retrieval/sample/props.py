"""Things that stand about: clouds, houses, trees, parked cars, posts."""

import numpy as np

from car_retrieval.sample.brush import Colour, mix
from car_retrieval.sample.stage import Stage, choice, tint

WALLS: tuple[Colour, ...] = (
    (170, 120, 96), (196, 180, 150), (126, 134, 148), (208, 204, 196), (148, 92, 80),
    (96, 112, 120), (222, 190, 120),
)  # fmt: skip
SIGNS: tuple[Colour, ...] = ((200, 40, 44), (36, 90, 170), (236, 190, 40))
LEAVES: tuple[Colour, ...] = ((62, 112, 58), (62, 112, 58), (84, 124, 48), (176, 118, 46))


def paint_cloud(stage: Stage, rng: np.random.Generator, colour: Colour) -> None:
    """A flat cloud of three puffs."""
    width = stage.image.width
    x, y = int(rng.integers(0, width)), int(rng.integers(0, max(2, stage.horizon)))
    w = int(rng.integers(10, max(12, width // 5)))
    for puff in (-1, 0, 1):
        left = x + puff * w // 2
        stage.draw.ellipse([left, y - w // 8, left + w, y + w // 6], fill=colour)


def paint_houses(stage: Stage, rng: np.random.Generator) -> None:
    """A row of houses along the horizon."""
    (width, height), x = stage.image.size, -int(rng.integers(0, 30))
    while x < width:
        w = int(rng.integers(width // 10, width // 4))
        top = stage.horizon - int(rng.integers(height // 8, height // 2))
        wall = tint(rng, choice(rng, WALLS), 14)
        stage.draw.rectangle([x, top, x + w, stage.horizon + 2], fill=wall)
        pane = mix(wall, (30, 40, 56) if rng.random() < 0.7 else (255, 240, 190), 0.6)
        step = max(9, width // int(rng.integers(22, 36)))
        for left in range(x + step // 2, x + w - step // 2, step):
            for up in range(top + step // 2, stage.horizon - step // 2, step):
                stage.draw.rectangle([left, up, left + step // 2, up + step // 2], fill=pane)
        x += w + int(rng.integers(-4, width // 12 + 1))


def paint_tree(stage: Stage, rng: np.random.Generator) -> None:
    """A tree whose crown brightens towards the top."""
    width, height = stage.image.size
    x, size = int(rng.integers(0, width)), int(rng.integers(height // 10, height // 4))
    y = stage.horizon + int(rng.integers(0, 4))
    stage.draw.rectangle([x - size // 12, y - size, x + size // 12, y], fill=(86, 66, 50))
    leaf = tint(rng, choice(rng, LEAVES), 26)
    for layer in range(5):
        dx, dy = (int(d) for d in rng.integers(-size // 2, size // 2 + 1, 2))
        r = size // 2 - layer * size // 14
        cx, cy = x + dx // 2, y - size - dy // 2
        tone = mix(leaf, (230, 240, 160), 0.08 * layer)
        stage.draw.ellipse([cx - r, cy - r, cx + r, cy + r], fill=tone)


def paint_parked(stage: Stage, rng: np.random.Generator) -> None:
    """A far car, seen from its side."""
    width, height = stage.image.size
    w = int(rng.integers(width // 8, width // 4))
    x = int(rng.integers(-w // 2, width))
    y = stage.horizon + int(rng.integers(0, height // 16 + 1))
    paint = tint(rng, (130, 130, 136), 90)
    roof = [(x + w // 6, y), (x + w // 4, y - w // 4)]
    roof += [(x + 3 * w // 4, y - w // 4), (x + 5 * w // 6, y)]
    stage.draw.polygon(roof, fill=mix(paint, (20, 26, 36), 0.7))
    stage.draw.rounded_rectangle([x, y - w // 12, x + w, y + w // 5], w // 14, fill=paint)
    for wheel in (x + w // 8, x + 5 * w // 8):
        spot = [wheel, y + w // 8, wheel + w // 5, y + w // 8 + w // 5]
        stage.draw.ellipse(spot, fill=(24, 24, 26))


def paint_post(stage: Stage, rng: np.random.Generator) -> None:
    """A lamp post or a road sign."""
    width, height = stage.image.size
    x, thick = int(rng.integers(0, width)), max(2, width // 140)
    top = stage.horizon - int(rng.integers(height // 5, height // 2))
    foot = stage.horizon + height // 20
    stage.draw.rectangle([x, top, x + thick, foot], fill=(70, 74, 78))
    if rng.random() < 0.5:
        r = width // 36
        stage.draw.ellipse([x - r, top - r, x + r, top + r], fill=choice(rng, SIGNS))
