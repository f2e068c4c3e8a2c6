import numpy as np
import pytest

from car_retrieval.search.rocchio import NothingLeftError, rocchio

NONE = np.empty((0, 2), np.float32)
X, Y = np.eye(2, dtype=np.float32)


def test_a_single_photo_is_searched_with_as_it_is():
    photo = np.array([0.6, 0.8], np.float32)
    assert (rocchio(photo[None], NONE) == photo).all()


def test_several_photos_are_averaged_and_normalised():
    query = rocchio(np.stack([X, Y, Y]), NONE)
    assert query.dtype == np.float32
    assert query == pytest.approx(np.array([1, 2]) / 5**0.5)


def test_alpha_is_an_extra_weight_of_the_first_photo():
    assert rocchio(np.stack([X, Y]), NONE, alpha=1, beta=2) == pytest.approx(
        np.array([2, 1]) / 5**0.5
    )


def test_the_mean_of_what_to_avoid_is_subtracted():
    assert rocchio(np.stack([X, Y]), Y[None], gamma=0.5) == pytest.approx(X)
    assert rocchio(X[None], np.stack([X, Y]), gamma=0.5) == pytest.approx(
        np.array([0.75, -0.25]) / 0.625**0.5
    )


def test_the_query_moves_away_by_default():
    assert rocchio(X[None], Y[None]) @ Y < 0


def test_photos_that_cancel_out():
    with pytest.raises(NothingLeftError, match="gamma"):
        rocchio(X[None], X[None], gamma=1)
    with pytest.raises(NothingLeftError):
        rocchio(np.stack([X, -X]), NONE)
