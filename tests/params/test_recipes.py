import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.parameters import training_params

from car_retrieval.params.recipes import changed, fitted

BASE = training_params(
    loss={"name": "ArcFaceLoss", "args": {"margin": 5}},
    augmentation={"crop": 0.1, "flip": 0.2},
    epochs=10,
    lr_shrink=0.5,
)


def test_without_changes_it_is_the_same():
    assert changed(BASE, {}) == BASE


def test_no_augmentation_stays_none():
    plain = BASE.model_copy(update={"augmentation": None})
    assert changed(plain, {"lr": 0.5}).augmentation is None
    assert changed(BASE, {"augmentation": None}).augmentation is None


def test_an_augmentation_is_changed_and_a_loss_replaced():
    params = changed(BASE, {"augmentation": {"crop": 0.3}, "loss": {"name": "ArcFaceLoss"}})
    assert (params.augmentation.crop, params.augmentation.flip) == (0.3, 0.2)
    assert params.loss.args == {}


@pytest.mark.parametrize("changes", [{"epoch": 2}, {"lr": -1}, {"augmentation": {"crop": 2}}])
def test_a_mistake_is_refused(changes):
    with pytest.raises(ValidationError):
        changed(BASE, changes)


@given(st.integers(1, 500), st.integers(1, 10_000))
def test_the_last_epoch_is_the_one_that_reaches_the_budget(photos, images):
    params = fitted(BASE, photos, images)
    assert params.images_per_epoch == photos
    assert (params.epochs - 1) * photos < images <= params.epochs * photos


@given(st.integers(1, 50))
def test_the_learning_rate_takes_the_same_course(epochs):
    params = fitted(BASE.model_copy(update={"warmup_epochs": 2.0}), 100, 100 * epochs)
    assert params.lr_shrink**params.epochs == pytest.approx(0.5**10)
    assert params.warmup_epochs / params.epochs == pytest.approx(0.2)
    assert math.isclose(params.lr, BASE.lr)
