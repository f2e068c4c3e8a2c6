import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.io.matrix import Matrix, write_matrix
from car_retrieval.search import gallery as gallery_module
from car_retrieval.search.expansion import expansion
from car_retrieval.search.gallery import Gallery


def unit(rng, rows, width=6):
    vectors = rng.normal(size=(rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def averaged(vector, others, count, alpha):
    """A vector and its nearest of others (by id), by the formula, in float64."""
    nearest = sorted(others, key=lambda row: (-(vector @ others[row]), row))[:count]
    total = vector.astype(float).copy()
    for row in nearest:
        total += max(0.0, float(vector @ others[row])) ** alpha * others[row]
    return total / np.linalg.norm(total)


def oracle(query, gallery, queries, photos, alpha):
    """Scores by gallery id."""
    rest = {row: {r: v for r, v in gallery.items() if r != row} for row in gallery}
    augmented = {row: averaged(gallery[row], rest[row], photos, alpha) for row in gallery}
    query = averaged(query, augmented, queries, alpha)
    return {row: float(query @ augmented[row]) for row in gallery}


@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 25),
    queries=st.integers(0, 6),
    photos=st.integers(0, 6),
    alpha=st.sampled_from([0, 1, 2.5, 3]),
    size=st.integers(1, 30),
)
def test_equals_the_formula(seed, count, queries, photos, alpha, size):
    rng = np.random.default_rng(seed)
    vectors = unit(rng, 2 * count)
    rows = np.sort(rng.choice(2 * count, count, replace=False))
    vectors[np.setdiff1d(np.arange(2 * count), rows)] = 9  # what is not searched does not count
    asked = unit(rng, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery_module, "BLOCK", size)
        patch.setattr(gallery_module, "ASKING", size)
        ranking = expansion(Gallery(vectors, rows), queries, photos, alpha)
        result = ranking.search(np.arange(3), asked, count)
    for row, query in enumerate(asked):
        scores = oracle(query, {r: vectors[r] for r in rows.tolist()}, queries, photos, alpha)
        assert sorted(result.hits[row].tolist()) == rows.tolist()
        found = [scores[hit] for hit in result.hits[row]]
        np.testing.assert_allclose(result.scores[row], found, atol=1e-5)


def test_nothing_to_expand_with_is_plain_search():
    rng = np.random.default_rng(1)
    gallery, queries = Gallery(unit(rng, 30), np.arange(30)), unit(rng, 4)
    plain = gallery.search(np.arange(4), queries, 9)
    result = expansion(gallery, query_k=0, database_k=0, alpha=3).search(np.arange(4), queries, 9)
    np.testing.assert_array_equal(result.hits, plain.hits)
    np.testing.assert_array_equal(result.scores, plain.scores)


@pytest.mark.parametrize("photos", [0, 2])
def test_a_query_of_the_gallery_neither_finds_nor_is_averaged_with_itself(photos):
    vectors = unit(np.random.default_rng(2), 12)
    ids = np.array([4, 7])
    ranking = expansion(Gallery(vectors, np.arange(12)), 3, photos, 1)
    result = ranking.search(ids, vectors[ids], 11, exclude=ids)
    without = [np.setdiff1d(np.arange(12), [own]) for own in ids]
    for row, (own, others) in enumerate(zip(ids, without, strict=True)):
        assert sorted(result.hits[row].tolist()) == others.tolist()
        if not photos:
            alone = expansion(Gallery(vectors, others), 3, 0, 1)
            wanted = alone.search(np.array([own]), vectors[[own]], 11)
            np.testing.assert_array_equal(result.hits[row], wanted.hits[0])


def test_a_matrix_on_disk_gives_the_same(tmp_path):
    rng = np.random.default_rng(3)
    vectors, queries = unit(rng, 40), unit(rng, 5)
    write_matrix(tmp_path / "g.npy", vectors)
    rows = np.arange(0, 40, 2)
    in_memory, on_disk = (
        expansion(Gallery(each, rows), 3, 4, 3).search(np.arange(5), queries, 10)
        for each in (vectors, Matrix(tmp_path / "g.npy"))
    )
    np.testing.assert_array_equal(on_disk.hits, in_memory.hits)
    np.testing.assert_array_equal(on_disk.scores, in_memory.scores)


def test_expansion_finds_what_only_a_neighbour_resembles():
    """The query sees a; a sees b: the averaged query is nearer to b than to c."""
    angles = np.radians([20, 55, -50])  # a, b, c; the query at 0
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    query = np.array([[1, 0]], np.float32)
    gallery = Gallery(vectors, np.arange(3))
    assert gallery.search(np.arange(1), query, 3).hits.tolist() == [[0, 2, 1]]
    result = expansion(gallery, 1, 0, 3).search(np.arange(1), query, 3)
    assert result.hits.tolist() == [[0, 1, 2]]


def test_an_empty_gallery():
    ranking = expansion(Gallery(np.zeros((3, 4), np.float32), np.empty(0, np.int64)), 2, 2, 3)
    result = ranking.search(np.arange(2), unit(np.random.default_rng(0), 2, 4), 5)
    assert (result.hits == -1).all()
