import numpy as np
import pytest

from car_retrieval.io.matrix import Matrix, write_matrix
from car_retrieval.search import gallery as gallery_module
from car_retrieval.search.gallery import Gallery, joined

ROWS = np.array([1, 2, 5, 7, 8, 11, 13])


@pytest.fixture(params=["memory", "disk"])
def vectors(request, tmp_path):
    values = np.random.default_rng(0).normal(size=(15, 4)).astype(np.float32)
    if request.param == "memory":
        return values
    write_matrix(tmp_path / "g.npy", values)
    return Matrix(tmp_path / "g.npy")


@pytest.mark.parametrize("size", [1, 3, 100])
def test_parts_hold_the_rows_in_order(vectors, size):
    blocks = list(Gallery(vectors, ROWS).parts(size))
    assert all(len(rows) == len(part) <= size for rows, part in blocks)
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in blocks]), ROWS)
    np.testing.assert_array_equal(np.concatenate([part for _, part in blocks]), vectors[ROWS])


@pytest.mark.parametrize("size", [1, 2, 100])
def test_neighbours_are_the_nearest_others_among_the_rows(vectors, size, monkeypatch):
    monkeypatch.setattr(gallery_module, "ASKING", size)
    near = Gallery(vectors, ROWS).neighbours(4)
    assert near.query_ids.tolist() == ROWS.tolist()
    products = vectors[ROWS] @ vectors[ROWS].T
    np.fill_diagonal(products, -np.inf)
    np.testing.assert_array_equal(near.hits, ROWS[np.argsort(-products, axis=1)[:, :4]])


def test_a_search_excludes_what_it_is_told_to(vectors):
    gallery = Gallery(vectors, ROWS)
    plain = gallery.search(ROWS, vectors[ROWS], 7)
    others = gallery.search(ROWS, vectors[ROWS], 6, exclude=ROWS)
    for own, every, rest in zip(ROWS, plain.hits, others.hits, strict=True):
        assert rest.tolist() == [hit for hit in every if hit != own]


def test_joined_results():
    vectors = np.eye(4, dtype=np.float32)
    gallery = Gallery(vectors, np.arange(4))
    parts = [gallery.search(np.array([row]), vectors[[row]], 2) for row in (3, 1)]
    whole = joined(parts, 2)
    assert whole.query_ids.tolist() == [3, 1]
    assert whole.hits[:, 0].tolist() == [3, 1]
    assert joined([], 2).hits.shape == (0, 2)
