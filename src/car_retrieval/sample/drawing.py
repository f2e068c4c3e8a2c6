"""One photo of one car: a model, a random generator and a viewpoint make a picture."""

from dataclasses import dataclass
from math import radians

import numpy as np
from PIL import Image

from car_retrieval.sample.body import Body, stacked
from car_retrieval.sample.brush import Brush, Colour, Light
from car_retrieval.sample.camera import Camera, Points
from car_retrieval.sample.car import outline, paint_car
from car_retrieval.sample.face import plate
from car_retrieval.sample.finish import expose, glow
from car_retrieval.sample.models import CarModel
from car_retrieval.sample.occlusion import occlude
from car_retrieval.sample.scene import paint_scene
from car_retrieval.sample.stage import Stage, choice, paint_shadow, tint

OVERSAMPLING = 2
YAWS = {1: (0, 7), 2: (180, 8), 3: (90, 7), 4: (28, 8), 5: (147, 9)}
PAINTS: tuple[Colour, ...] = (
    (236, 237, 236), (22, 23, 26), (168, 172, 178), (96, 100, 108), (188, 26, 32),
    (28, 72, 168), (18, 92, 74), (238, 186, 30), (104, 62, 40), (214, 196, 158),
    (226, 100, 28), (92, 48, 120), (120, 186, 220), (120, 168, 60), (128, 22, 44),
)  # fmt: skip


@dataclass(frozen=True)
class Photo:
    """A drawn photo.

    Attributes:
        image: The RGB picture.
        box: The car's box, (x1, y1, x2, y2), 1-based inclusive pixels as CompCars writes it.
    """

    image: Image.Image
    box: tuple[int, int, int, int]


def draw_photo(
    car: CarModel,
    rng: np.random.Generator,
    viewpoint: int,
    size: tuple[int, int],
    surveillance: bool = False,
) -> Photo:
    """Draw one photo; everything but the car's shape comes from `rng`.

    Args:
        car: The model.
        rng: The photo's own generator.
        viewpoint: 1 front, 2 rear, 3 side, 4 front-side, 5 rear-side; -1 (uncertain) is drawn
            as one of them.
        size: Width and height in pixels.
        surveillance: A dark, noisy crop from a road camera instead of a web photo.

    Returns:
        The photo with the car's box.
    """
    body = Body(car)
    large = (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING)
    camera = _camera(body, rng, viewpoint, large, surveillance)
    image = Image.new("RGB", large)
    stage = Stage(image, camera)
    paint_scene(stage, rng, surveillance)
    paint_shadow(stage, _footprint(body), float(rng.uniform(0.6, 0.9)))
    lit = bool(surveillance and rng.random() < 0.25)
    brush = Brush(image, camera, _light(rng, surveillance))
    paint_car(brush, body, tint(rng, choice(rng, PAINTS), 20), plate(rng), lit)
    box = brush.box(OVERSAMPLING)
    image = image.reduce(OVERSAMPLING)
    if lit:
        image = glow(image, _lamps(body, camera), image.width // 18)
    if rng.random() < (0.1 if surveillance else 0.18):
        occlude(image, rng, box)
    return Photo(expose(image, rng, surveillance), box)


def _camera(
    body: Body,
    rng: np.random.Generator,
    viewpoint: int,
    size: tuple[int, int],
    surveillance: bool,
) -> Camera:
    middle, spread = YAWS[viewpoint if viewpoint > 0 else int(rng.integers(1, 6))]
    side = 1 if rng.random() < 0.5 else -1
    camera = Camera(
        yaw=side * radians(middle + spread * float(rng.uniform(-1, 1))),
        pitch=radians(float(rng.uniform(7, 12) if surveillance else rng.uniform(4, 11))),
        roll=radians(float(rng.uniform(-3.5, 3.5))),
        distance=float(rng.uniform(9, 16) if surveillance else rng.uniform(6.5, 13)),
    )
    fill = float(rng.uniform(0.88, 0.97) if surveillance else rng.uniform(0.74, 0.96))
    room = (float(rng.random()), float(rng.uniform(0.3, 0.8)))
    return camera.fit(outline(body), size, fill, room)


def _footprint(body: Body) -> Points:
    x, z = body.car.width / 2 * 1.04, body.ahead * 0.98
    return stacked(np.array([-x, x, x, -x]), 0.0, np.array([-z, -z, z, z]))


def _light(rng: np.random.Generator, surveillance: bool) -> Light:
    direction = np.array([rng.uniform(-0.8, 0.8), rng.uniform(0.5, 1.0), rng.uniform(0.3, 1.0)])
    return Light(
        direction=direction / np.sqrt((direction**2).sum()),
        ambient=float(rng.uniform(0.4, 0.65)),
        gloss=float(rng.uniform(0.1, 0.25) if surveillance else rng.uniform(0.1, 0.5)),
    )


def _lamps(body: Body, camera: Camera) -> list[tuple[int, int]]:
    car = body.car
    x = (0.97 - car.lamp_width) * car.width / 2
    y = car.nose - (car.lamp_drop + car.lamp_height / 2) * (car.nose - car.clearance)
    pixels = camera.project(body.nose(np.array([-x, x]), y)) / OVERSAMPLING
    return [(round(px), round(py)) for px, py in pixels.tolist()]
