import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

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


@settings(deadline=None, max_examples=40)
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
