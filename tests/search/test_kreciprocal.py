import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.io.matrix import Matrix, write_matrix
from car_retrieval.search import gallery as gallery_module
from car_retrieval.search import kreciprocal
from car_retrieval.search.gallery import Gallery
from car_retrieval.search.kreciprocal import KReciprocal


def unit(rng, rows, width):
    vectors = rng.normal(size=(rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def clustered(rng, rows, width, classes=6):
    """Points around a few centres, so that many neighbours are reciprocal."""
    centres = unit(rng, classes, width)[rng.integers(classes, size=rows)]
    vectors = centres + 0.6 * unit(rng, rows, width)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def oracle(query, vectors, k1, k2, weight, candidates):
    """The paper's formulas with sets and whole distance matrices; photo -1 is the query."""
    points = np.concatenate([vectors, query[None]]).astype(float)
    count = len(vectors)
    distance = 1 - points @ points.T
    gallery = range(count)
    itself = {g: g for g in gallery}

    def nearest(x, k, among):
        """x itself, and the k nearest others."""
        order = sorted((g for g in among if g != x), key=lambda g: (distance[x, g], g))
        return [x, *order[:k]]

    def reciprocal(x, k):
        if x in itself:
            return {g for g in nearest(x, k, gallery) if x in nearest(g, k, gallery)}
        both = [*gallery, x]
        return {g for g in nearest(x, k, gallery)[1:] if x in nearest(g, k, both)}

    def extended(x):
        own = reciprocal(x, k1)
        whole = set(own)
        for member in own:
            half = reciprocal(member, round(k1 / 2))
            if len(own & half) >= 2 / 3 * len(half) - 1e-9:
                whole |= half
        return whole

    def encoded(x):
        weights = np.zeros(count)
        for g in extended(x):
            weights[g] = np.exp(-distance[x, g])
        return weights

    def averaged(x):
        return np.mean([encoded(y) for y in nearest(x, k2 - 1, gallery)], axis=0)

    ranking = sorted(gallery, key=lambda g: (distance[-1, g], g))
    mine, final = averaged(count), {}
    for place, g in enumerate(ranking):
        jaccard = 1.0
        if place < candidates:
            other = averaged(g)
            larger = np.maximum(mine, other).sum()
            jaccard = 1 - np.minimum(mine, other).sum() / larger if larger else 1.0
        final[g] = (1 - weight) * jaccard + weight * distance[-1, g]
    return sorted(gallery, key=lambda g: (final[g], g)), final


@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 40),
    k1=st.integers(1, 12),
    k2=st.integers(1, 8),
    weight=st.sampled_from([0.1, 0.3, 1.0]),
    candidates=st.integers(1, 45),
)
def test_equals_the_formulas_of_the_paper(seed, count, k1, k2, weight, candidates):
    rng = np.random.default_rng(seed)
    vectors, queries = clustered(rng, count, 5), clustered(rng, 4, 5)
    ranking = KReciprocal(Gallery(vectors, np.arange(count)), k1, k2, weight, candidates)
    result = ranking.search(np.arange(4), queries, count)
    for row, query in enumerate(queries):
        order, final = oracle(query, vectors, k1, k2, weight, candidates)
        scores = [1 - final[g] for g in order]
        np.testing.assert_allclose(result.scores[row], scores, atol=1e-5)
        own = [final[g] for g in result.hits[row]]  # equal ones may change places
        np.testing.assert_allclose(own, [final[g] for g in order], atol=1e-5)


SETTINGS = {"k1": 8, "k2": 3, "weight": 0.3, "candidates": 20}


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_blocks_and_batches_do_not_matter(size, tmp_path, monkeypatch):
    rng = np.random.default_rng(4)
    vectors, queries = clustered(rng, 90, 6), clustered(rng, 12, 6)
    rows, ids = np.arange(0, 90, 2), np.arange(12)
    whole = KReciprocal(Gallery(vectors, rows), **SETTINGS).search(ids, queries, 30)
    write_matrix(tmp_path / "g.npy", vectors)
    for module, name in ((gallery_module, "BLOCK"), (gallery_module, "ASKING")):
        monkeypatch.setattr(module, name, size)
    for name in ("PHOTOS", "PAIRS"):
        monkeypatch.setattr(kreciprocal, name, size)
    ranking = KReciprocal(Gallery(Matrix(tmp_path / "g.npy"), rows), **SETTINGS)
    for query in ids:
        alone = ranking.search(ids[[query]], queries[[query]], 30)
        np.testing.assert_array_equal(alone.hits[0], whole.hits[query])
        np.testing.assert_array_equal(alone.scores[0], whole.scores[query])


def test_those_behind_the_candidates_follow_in_their_old_order():
    rng = np.random.default_rng(5)
    gallery, queries = Gallery(clustered(rng, 60, 6), np.arange(60)), clustered(rng, 9, 6)
    plain = gallery.search(np.arange(9), queries, 60).hits
    found = KReciprocal(gallery, **SETTINGS).search(np.arange(9), queries, 60).hits
    np.testing.assert_array_equal(np.sort(found[:, :20]), np.sort(plain[:, :20]))
    np.testing.assert_array_equal(found[:, 20:], plain[:, 20:])
    assert (found[:, :20] != plain[:, :20]).any()


def test_a_query_of_the_gallery_does_not_find_itself():
    vectors = clustered(np.random.default_rng(6), 30, 6)
    ids = np.array([3, 8])
    ranking = KReciprocal(Gallery(vectors, np.arange(30)), **SETTINGS)
    found = ranking.search(ids, vectors[ids], 29, exclude=ids)
    for own, hits in zip(ids, found.hits, strict=True):
        assert sorted(hits.tolist()) == [row for row in range(30) if row != own]


def test_an_empty_gallery_and_no_query():
    empty = Gallery(np.zeros((3, 6), np.float32), np.empty(0, np.int64))
    queries = clustered(np.random.default_rng(0), 2, 6)
    found = KReciprocal(empty, **SETTINGS).search(np.arange(2), queries, 5)
    assert (found.hits == -1).all()
    full = Gallery(queries, np.arange(2))
    found = KReciprocal(full, **SETTINGS).search(np.empty(0, np.int64), queries[:0], 5)
    assert found.hits.shape == (0, 5)
