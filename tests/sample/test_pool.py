from car_retrieval.sample.models import make_catalogue
from car_retrieval.sample.pool import BATCH, draw_all
from car_retrieval.sample.shots import SurveillanceShot


def test_processes_draw_the_same_in_the_same_order():
    car = make_catalogue(3, seed=1)[0]
    shots = [SurveillanceShot(car, 1, number, 1, 32) for number in range(2 * BATCH + 3)]
    assert list(draw_all(shots, workers=2)) == list(draw_all(shots, workers=1))


def test_nothing_to_draw():
    assert list(draw_all([], workers=1)) == []
