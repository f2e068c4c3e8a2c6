from math import radians

import numpy as np
import pytest
from PIL import Image, ImageStat

from car_retrieval.sample.body import Body
from car_retrieval.sample.brush import Brush, Light
from car_retrieval.sample.bumpers import FOG_SHAPES, INTAKE_SHAPES
from car_retrieval.sample.camera import Camera
from car_retrieval.sample.car import outline, paint_car
from car_retrieval.sample.drawing import draw_photo
from car_retrieval.sample.face import emblem, plate
from car_retrieval.sample.grilles import GRILLE_SHAPES
from car_retrieval.sample.lamps import LAMP_SHAPES
from car_retrieval.sample.models import make_catalogue
from car_retrieval.sample.patches import Patch
from car_retrieval.sample.traits import BODIES, EMBLEMS, FOGS, GRILLES, INTAKES, LAMPS

CARS = make_catalogue(30, seed=7)
NOWHERE = (255, 0, 254)


def draw(car=CARS[0], seed=0, viewpoint=1, size=(96, 68), **options):
    return draw_photo(car, np.random.default_rng(seed), viewpoint, size, **options)


@pytest.mark.parametrize("yaw", [0, 6, 30, 90, 150, 180, -35])
@pytest.mark.parametrize("body", list(BODIES))
def test_box_is_that_of_the_painted_pixels(body, yaw):
    car = next(car for car in CARS if car.body == body)
    skin, image = Body(car), Image.new("RGB", (320, 240), NOWHERE)
    camera = Camera(radians(yaw), radians(8), radians(2), 9.0)
    camera = camera.fit(outline(skin), image.size, 0.9, (0.5, 0.5))
    brush = Brush(image, camera, Light(np.array([0.0, 0.8, 0.6]), 0.5, 0.3))
    paint_car(brush, skin, (90, 120, 150), plate(np.random.default_rng(0)), lit=False)
    rows, columns = np.nonzero((np.asarray(image) != NOWHERE).any(axis=-1))
    seen = (columns.min() + 1, rows.min() + 1, columns.max() + 1, rows.max() + 1)
    assert brush.box(1) == pytest.approx(seen, abs=2)
    assert len(rows) > 0.35 * (seen[2] - seen[0]) * (seen[3] - seen[1])


@pytest.mark.parametrize("viewpoint", [-1, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", [(96, 68), (64, 64), (128, 32), (32, 128), (8, 32), (32, 8)])
def test_any_size_and_viewpoint(viewpoint, size):
    photo = draw(viewpoint=viewpoint, size=size)
    x1, y1, x2, y2 = photo.box
    assert photo.image.size == size
    assert photo.image.mode == "RGB"
    assert 1 <= x1 < x2 <= size[0]
    assert 1 <= y1 < y2 <= size[1]


def test_a_photo_is_its_generator():
    assert draw(seed=1).image.tobytes() == draw(seed=1).image.tobytes()
    assert draw(seed=1).image.tobytes() != draw(seed=2).image.tobytes()


def test_surveillance_is_darker():
    def brightness(surveillance):
        stats = [ImageStat.Stat(draw(seed=s, surveillance=surveillance).image) for s in range(12)]
        return np.mean([stat.mean for stat in stats])

    assert brightness(True) < 0.75 * brightness(False)


def test_side_views_are_wider_than_front_views():
    shapes = {}
    for viewpoint in (1, 4, 3):
        x1, y1, x2, y2 = draw(viewpoint=viewpoint, size=(200, 200)).box
        shapes[viewpoint] = (x2 - x1) / (y2 - y1)
    assert shapes[1] < shapes[4] < shapes[3]


def test_colour_belongs_to_the_photo_and_not_to_the_model():
    colours = [
        np.asarray(draw(seed=seed).image.resize((1, 1), box=(40, 30, 56, 44)))[0, 0]
        for seed in range(12)
    ]
    assert np.std(colours, axis=0).min() > 20


@pytest.mark.parametrize(
    ("names", "shapes", "sizes"),
    [
        (GRILLES, GRILLE_SHAPES, (0.4, 0.15, (200, 30, 30))),
        (LAMPS, LAMP_SHAPES, (0.25, 0.1, (220, 230, 240))),
        (FOGS, FOG_SHAPES, (0.1, 0.06)),
        (INTAKES, INTAKE_SHAPES, (0.5, 0.06)),
    ],
    ids=["grilles", "lamps", "fogs", "intakes"],
)
def test_styles_differ(names, shapes, sizes):
    assert set(names) == set(shapes)
    drawn = {repr([(p.round(4).tolist(), c) for p, c in shapes[name](*sizes)]) for name in names}
    assert len(drawn) == len(names)


@pytest.mark.parametrize("kind", EMBLEMS)
def test_emblems_are_about_as_large_as_asked(kind):
    patches: list[Patch] = emblem(kind, 0.1)
    reach = max(np.abs(outline).max() for outline, _ in patches)
    assert 0.1 <= reach <= 0.25
