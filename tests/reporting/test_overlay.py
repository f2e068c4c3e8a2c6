import numpy as np
import pytest

from car_retrieval.reporting.overlay import overlay

PHOTO = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)


def luminance(pixels):
    return pixels.astype(float) @ [0.299, 0.587, 0.114]


def test_it_glows_where_it_is_hot():
    heat = np.zeros((8, 6))
    heat[2, 3] = 0.1
    shown = overlay(np.full((8, 6, 3), 90, np.uint8), heat)
    assert shown.shape == (8, 6, 3)
    assert shown.dtype == np.uint8
    light = luminance(shown)
    assert np.unravel_index(light.argmax(), light.shape) == (2, 3)
    assert (np.delete(light.ravel(), 2 * 6 + 3) == light[0, 0]).all()


def test_only_proportions_and_places_above_zero_count():
    heat = np.random.default_rng(1).normal(size=(8, 6))
    shown = overlay(PHOTO, heat)
    np.testing.assert_array_equal(shown, overlay(PHOTO, 1e-3 * heat))
    np.testing.assert_array_equal(shown, overlay(PHOTO, heat.clip(min=0)))


@pytest.mark.parametrize("heat", [np.zeros((8, 6)), np.full((8, 6), -2.0)])
def test_where_nothing_is_hot_the_photo_stays_in_grey(heat):
    shown = overlay(PHOTO, heat)
    order = luminance(PHOTO).ravel().argsort()
    assert (np.diff(luminance(shown).ravel()[order]) >= -0.6).all()
    assert np.ptp(shown.astype(int), axis=2).max() <= 3


def test_a_photo_taken_at_night_can_be_seen():
    day = np.linspace(0, 255, 48).reshape(8, 6, 1).repeat(3, axis=2).astype(np.uint8)
    np.testing.assert_allclose(
        overlay(day // 10, np.zeros((8, 6))), overlay(day, np.zeros((8, 6))), atol=12
    )
