import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.search.eigenvalue_allocation import allocate_eigenvalues


@given(parts=st.integers(1, 6), room=st.integers(1, 5), data=st.data())
def test_each_goes_to_the_least_product_with_room(parts, room, data):
    values = st.sampled_from([0.0, 0.5, 1.0, 2.0, 4.0, 64.0])
    eigenvalues = np.array([data.draw(values) for _ in range(parts * room)])
    places = allocate_eigenvalues(eigenvalues, parts)
    assert sorted(places.tolist()) == list(range(parts * room))
    positive = eigenvalues[eigenvalues > 0]
    least = positive.min() if len(positive) else 1.0
    weights = np.maximum(eigenvalues, least) / least  # powers of two: their products are exact
    buckets = [[] for _ in range(parts)]
    for place in sorted(range(len(weights)), key=lambda place: (-eigenvalues[place], place)):
        free = [bucket for bucket in buckets if len(bucket) < room]
        min(free, key=lambda bucket: np.prod(weights[bucket])).append(place)
    mine = np.log2([weights[part].prod() for part in places.reshape(parts, room)])
    theirs = np.log2([weights[bucket].prod() for bucket in buckets])
    np.testing.assert_allclose(sorted(mine), sorted(theirs), atol=1e-9)


@pytest.mark.parametrize("values", [np.zeros(6), np.ones(6)])
def test_equal_eigenvalues(values):
    assert sorted(allocate_eigenvalues(values, 3).tolist()) == list(range(6))


def test_products_are_balanced():
    eigenvalues = 2.0 ** -np.arange(8)
    in_turn = eigenvalues.reshape(2, 4).prod(axis=1)
    places = allocate_eigenvalues(eigenvalues, 2).reshape(2, 4)
    balanced = eigenvalues[places].prod(axis=1)
    assert balanced.max() / balanced.min() <= 2 < in_turn.max() / in_turn.min()
