"""What stands around a car: sky, ground and clutter, different in every photo."""

from collections.abc import Callable

import numpy as np

from car_retrieval.sample.brush import Colour, mix
from car_retrieval.sample.props import (
    paint_cloud,
    paint_houses,
    paint_parked,
    paint_post,
    paint_tree,
)
from car_retrieval.sample.stage import Stage, choice, tint

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
MARKING: Colour = (222, 220, 210)
SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((84, 142, 214), (206, 226, 242)), ((150, 172, 196), (226, 230, 232)),
    ((238, 150, 90), (252, 222, 170)), ((110, 120, 176), (240, 190, 176)),
    ((184, 190, 198), (236, 238, 238)), ((60, 160, 190), (214, 240, 230)),
)  # fmt: skip
HALLS: tuple[Colour, ...] = (
    (212, 216, 222), (64, 70, 84), (186, 60, 64), (46, 104, 150), (232, 190, 92),
    (90, 140, 120), (140, 110, 170), (238, 236, 230), (228, 128, 70),
)  # fmt: skip


def paint_scene(stage: Stage, rng: np.random.Generator, night: bool) -> None:
    """Paint one of the backdrops and the ground before it."""
    backdrops: tuple[Callable[[Stage, np.random.Generator], None], ...] = (
        (_night_road,) if night else (_street, _street, _park, _park, _studio, _wall, _lot)
    )
    choice(rng, backdrops)(stage, rng)


def _sky(stage: Stage, rng: np.random.Generator) -> None:
    high, low = choice(rng, SKIES)
    stage.fade(0, stage.horizon + 2, tint(rng, high, 16), tint(rng, low, 10))
    for _ in range(int(rng.integers(0, 4))):
        paint_cloud(stage, rng, mix(low, WHITE, 0.6))


def _floor(stage: Stage, near: Colour, far: Colour) -> None:
    stage.fade(stage.horizon, stage.image.height, far, near)


def _asphalt(stage: Stage, rng: np.random.Generator) -> None:
    tone = tint(rng, (112, 112, 116), 22)
    _floor(stage, mix(tone, BLACK, 0.2), mix(tone, (200, 200, 205), 0.35))


def _dashes(stage: Stage, x: float, length: float, colour: Colour) -> None:
    for start in range(-32, 12, 4):
        stage.ground(x, x + 0.15, start, start + length, colour)


def _street(stage: Stage, rng: np.random.Generator) -> None:
    _sky(stage, rng)
    paint_houses(stage, rng)
    _asphalt(stage, rng)
    kerb = float(rng.uniform(1.5, 3.5))
    stage.ground(-30, -kerb, -60, 9, tint(rng, (160, 156, 150), 14))
    _dashes(stage, 2.2, 2, MARKING)
    for _ in range(int(rng.integers(0, 3))):
        paint_post(stage, rng)


def _park(stage: Stage, rng: np.random.Generator) -> None:
    _sky(stage, rng)
    width, height = stage.image.size
    foot = stage.horizon + 3
    ridge = [(width * k // 6, foot - int(rng.integers(3, height // 6 + 4))) for k in range(7)]
    stage.draw.polygon([(0, foot), *ridge, (width, foot)], fill=tint(rng, (98, 132, 96), 24))
    grass = tint(rng, (104, 138, 66), 24)
    _floor(stage, mix(grass, BLACK, 0.25), mix(grass, (220, 230, 200), 0.3))
    half = float(rng.uniform(2.0, 5.0))
    stage.ground(-half, half, -70, 9, tint(rng, (138, 134, 128), 16))
    for _ in range(int(rng.integers(2, 8))):
        paint_tree(stage, rng)


def _studio(stage: Stage, rng: np.random.Generator) -> None:
    wall = tint(rng, choice(rng, HALLS), 16)
    stage.fade(0, stage.horizon + 2, mix(wall, BLACK, 0.3), mix(wall, WHITE, 0.25))
    _floor(stage, mix(wall, BLACK, 0.45), mix(wall, WHITE, 0.1))
    width, height = stage.image.size
    for _ in range(int(rng.integers(0, 4))):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, max(2, stage.horizon)))
        w = int(rng.integers(width // 16, width // 4))
        h = int(rng.integers(height // 16, height // 5))
        stage.draw.rectangle([x, y, x + w, y + h], fill=tint(rng, mix(wall, WHITE, 0.3), 40))


def _wall(stage: Stage, rng: np.random.Generator) -> None:
    width, height = stage.image.size
    brick = tint(rng, (156, 104, 84) if rng.random() < 0.5 else (150, 152, 150), 26)
    foot = max(stage.horizon + height // 10, 0)
    stage.fade(0, foot + 1, mix(brick, BLACK, 0.15), mix(brick, WHITE, 0.15))
    step, joint = max(8, height // 18), mix(brick, WHITE, 0.25)
    for row, y in enumerate(range(0, foot, step)):
        stage.draw.line([(0, y), (width, y)], fill=joint)
        for x in range((row % 2) * step, width, step * 2):
            stage.draw.line([(x, y), (x, min(y + step, foot))], fill=joint)
    tone = tint(rng, (122, 120, 118), 20)
    stage.fade(foot, height, mix(tone, BLACK, 0.25), mix(tone, BLACK, 0.05))


def _lot(stage: Stage, rng: np.random.Generator) -> None:
    _sky(stage, rng)
    _asphalt(stage, rng)
    for _ in range(int(rng.integers(2, 6))):
        paint_parked(stage, rng)
    for bay in range(-3, 4):
        stage.ground(2.7 * bay + 1.35, 2.7 * bay + 1.47, -2.6, 6, MARKING)


def _night_road(stage: Stage, rng: np.random.Generator) -> None:
    width, height = stage.image.size
    tone = tint(rng, (96, 96, 104), 26)
    stage.fade(0, height, mix(tone, (30, 36, 60), 0.3), mix(tone, BLACK, 0.1))
    for x in (-1.9, 1.75):
        _dashes(stage, x, 2.4, (196, 194, 184))
    if rng.random() < 0.5:
        stage.ground(-14, -2.6, -40, 9, tint(rng, (76, 84, 78), 16))
    for _ in range(int(rng.integers(0, 5))):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height // 4 + 2))
        r = int(rng.integers(2, max(4, width // 40)))
        stage.draw.ellipse([x - r, y - r, x + r, y + r], fill=tint(rng, (236, 206, 150), 18))
