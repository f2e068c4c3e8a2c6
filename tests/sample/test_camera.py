from math import pi, radians

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.sample.camera import Camera

ANGLES = st.floats(-pi, pi)


@given(ANGLES, st.floats(0, 0.5))
def test_turning_keeps_lengths(yaw, pitch):
    points = np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]])
    turned = Camera(yaw, pitch, 0.0, 9.0).turn(points)
    assert np.linalg.norm(turned, axis=1) == pytest.approx(np.linalg.norm(points, axis=1))


def test_nose_points_at_the_camera_and_up_is_up():
    camera = Camera(yaw=0.0, pitch=0.0, roll=0.0, distance=10.0)
    nose, top = camera.project(np.array([[0.0, 0.0, 2.0], [0.0, 1.0, 0.0]]))
    assert nose.tolist() == [0.0, 0.0]
    assert top.tolist() == [0.0, -0.1]


def test_what_is_nearer_is_larger():
    camera = Camera(0.0, 0.0, 0.0, 10.0)
    near, far = camera.project(np.array([[1.0, 0.0, 5.0], [1.0, 0.0, -5.0]]))
    assert near[0] == pytest.approx(1 / 5)
    assert far[0] == pytest.approx(1 / 15)


@given(ANGLES, st.floats(0.1, 1), st.floats(0, 1), st.floats(0, 1))
def test_fit_puts_all_points_inside(yaw, fill, left, top):
    points = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    camera = Camera(yaw, radians(8), 0.05, 6.0).fit(points, (200, 100), fill, (left, top))
    pixels = camera.project(points)
    assert pixels.min() >= -1e-6
    assert (pixels.max(axis=0) <= np.array([200, 100]) + 1e-6).all()
    extent = np.ptp(pixels, axis=0) / [200, 100]
    assert extent.max() == pytest.approx(fill)
