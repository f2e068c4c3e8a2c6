import itertools

import numpy as np
import pytest

from car_retrieval.search.lopq import index as lopq_index
from car_retrieval.search.lopq.fit import LopqParams
from car_retrieval.search.lopq.index import LopqIndex

SCAN, DECODE = 10**9, 0  # values of SHARED_DECODING that force each way of searching


def vectors_of(count, dimension=16, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(6, dimension))
    return (centres[rng.integers(0, 6, count)] + 0.4 * rng.normal(size=(count, dimension))).astype(
        np.float32
    )


def made(vectors, ids=None, seed=0, **params):
    index = LopqIndex(LopqParams(**{"coarse": 4, "subquantisers": 4, "bits": 4} | params))
    index.fit(vectors, seed)
    index.add(vectors, ids)
    return index


def naive(index, queries):
    """Ids of all points and their distances [q, n], by loops in float64 over the arrays."""
    arrays, _ = index.state()
    arrays = {
        name: array.astype(float) if array.dtype == np.float32 else array
        for name, array in arrays.items()
    }
    splits, centroids, d = arrays["coarse"].shape
    books = arrays["codebooks"]
    subspaces, words, width = books.shape[2:]
    queries = queries.astype(float)
    if "pca_mean" in arrays:
        queries = (queries - arrays["pca_mean"]) @ arrays["pca_components"].T
    distances = np.zeros((len(queries), len(arrays["ids"])))
    for cell in range(centroids**splits):
        own = divmod(cell, centroids) if splits == 2 else [cell]
        for place in range(arrays["starts"][cell], arrays["starts"][cell + 1]):
            code = arrays["codes"][place].tolist()
            if words == 16:
                code = [half for byte in code for half in (byte % 16, byte // 16)]
            for s, v in enumerate(own):
                residual = queries[:, s * d : (s + 1) * d] - arrays["coarse"][s, v]
                local = (residual - arrays["means"][s, v]) @ arrays["rotations"][s, v].T
                for m in range(subspaces):
                    word = books[s, v % books.shape[1], m, code[s * subspaces + m]]
                    part = local[:, m * width : (m + 1) * width]
                    distances[:, place] += ((part - word) ** 2).sum(axis=1)
    return arrays["ids"], distances


@pytest.mark.parametrize("way", [SCAN, DECODE])
@pytest.mark.parametrize(
    ("splits", "bits", "codebooks", "reduction"),
    [
        *itertools.product([1, 2], [4, 8], ["local", "shared"], [{}]),
        (2, 8, "local", {"pca": 8}),
        (2, 4, "shared", {"pca": 8, "whiten": True}),
        (1, 4, "local", {"pca": 12, "whiten": True}),
    ],
)
def test_scores_are_asymmetric_distances(monkeypatch, way, splits, bits, codebooks, reduction):
    monkeypatch.setattr(lopq_index, "SHARED_DECODING", way)
    vectors = vectors_of(600)
    index = made(vectors, splits=splits, bits=bits, codebooks=codebooks, **reduction)
    queries = vectors_of(9, seed=1)
    found, scores = index.search(queries, 600)
    ids, distances = naive(index, queries)
    by_id = np.empty_like(distances)
    by_id[:, ids] = distances
    assert (np.sort(found, axis=1) == np.arange(600)).all()
    np.testing.assert_allclose(-scores, np.take_along_axis(by_id, found, 1), rtol=1e-4, atol=1e-4)
    assert (np.diff(scores, axis=1) <= 0).all()
    best, _ = index.search(queries, 10)
    wanted = np.sort(distances, axis=1)[:, :10]
    np.testing.assert_allclose(np.take_along_axis(by_id, best, 1), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("way", [SCAN, DECODE])
def test_blocks_of_queries_and_points_do_not_matter(monkeypatch, way):
    monkeypatch.setattr(lopq_index, "SHARED_DECODING", way)
    vectors, queries = vectors_of(500), vectors_of(23, seed=1)
    index = made(vectors)
    ids, scores = index.search(queries, 7)
    monkeypatch.setattr(lopq_index, "QUERY_BLOCK", {1: 10, 2: 10})
    monkeypatch.setattr(lopq_index, "POINT_BLOCK", 20)
    found, found_scores = index.search(queries, 7)
    np.testing.assert_allclose(found_scores, scores, rtol=1e-4, atol=1e-5)
    assert (found == ids).mean() > 0.95  # points of equal code may change places


@pytest.mark.parametrize("way", [SCAN, DECODE])
@pytest.mark.parametrize("quota", [1, 40, 199, 10_000])
def test_at_least_quota_points_are_looked_at(monkeypatch, way, quota):
    monkeypatch.setattr(lopq_index, "SHARED_DECODING", way)
    index = made(vectors_of(500))
    ids, _ = index.search(vectors_of(6, seed=1), 500, quota)
    assert ((ids >= 0).sum(axis=1) == 500).all()  # k is a quota too
    ids, _ = index.search(vectors_of(6, seed=1), min(500, quota), quota)
    assert (ids >= 0).all()


def test_recall_rises_with_the_quota():
    vectors, queries = vectors_of(3_000), vectors_of(100, seed=1)
    index = made(vectors, coarse=8, quota=5)
    full, _ = index.search(queries, 5, quota=3_000)
    recalls = [(index.search(queries, 5, quota)[0] == full).mean() for quota in (10, 300, 3_000)]
    assert recalls[0] < recalls[1] <= recalls[2] == 1
    np.testing.assert_array_equal(index.search(queries, 5)[0], index.search(queries, 5, 5)[0])


def test_any_ids_in_any_order_and_batches():
    rng = np.random.default_rng(3)
    vectors, queries = vectors_of(300), vectors_of(40, seed=1)
    ids = rng.permutation(300) * 7
    ids[:2] = 2**62, 0 if 0 not in ids[2:] else 5
    once = made(vectors, ids)
    parts = LopqIndex(once.params, once.model)
    shuffled = rng.permutation(300)
    for rows in np.split(shuffled, [1, 2, 50, 50, 280]):
        parts.add(vectors[rows], ids[rows])
        assert np.isin(parts.search(queries, 5)[0], [-1, *parts.state()[0]["ids"]]).all()
    for k in (1, 300, 310):
        for found, wanted in zip(parts.search(queries, k), once.search(queries, k), strict=True):
            np.testing.assert_array_equal(found, wanted)
    found, scores = once.search(queries, 310)
    np.testing.assert_array_equal(np.sort(found[:, :300], axis=1), np.tile(np.sort(ids), (40, 1)))
    assert (found[:, 300:] == -1).all()
    assert (scores[:, 300:] == -np.inf).all()
    assert np.isfinite(scores[:, :300]).all()
    assert found.dtype == np.int64
    assert scores.dtype == np.float32


@pytest.mark.parametrize("order", ["added", "searched"])
def test_removed_vectors_leave_no_trace(order):
    vectors, queries = vectors_of(300), vectors_of(40, seed=1)
    index = made(vectors)
    if order == "searched":
        index.search(queries, 5)
    gone = np.random.default_rng(4).choice(300, 90, replace=False)
    index.remove(np.concatenate([gone, [1_000]]))
    kept = np.setdiff1d(np.arange(300), gone)
    other = LopqIndex(index.params, index.model)
    other.add(vectors[kept], kept)
    assert len(index) == len(other) == 210
    for found, wanted in zip(index.search(queries, 20), other.search(queries, 20), strict=True):
        np.testing.assert_array_equal(found, wanted)
    index.add(vectors[gone], gone)
    for found, wanted in zip(
        index.search(queries, 20), made(vectors).search(queries, 20), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([0, 1], "3 vectors have ids of shape"),
        ([0, -4, 1], "negative id -4"),
        ([9, 8, 9], "duplicate id 9"),
        ([9, 8, 60], "duplicate id 60"),
        ([0.5, 1, 2], "ids must be integers"),
        (np.array([2**63, 1, 2], np.uint64), "ids must be integers that fit"),
    ],
)
def test_bad_ids(ids, words):
    vectors = vectors_of(50)
    index = made(vectors, np.arange(50, 100))
    with pytest.raises(ValueError, match=words):
        index.add(vectors[:3], ids)
    assert len(index) == 50
    index.add(vectors[:3], [0, 1, 2])
    assert len(index) == 53


def test_refitting_forgets_what_was_added():
    index = made(vectors_of(50))
    index.search(vectors_of(2), 3)
    index.fit(vectors_of(60), 0)
    assert len(index) == 0
    assert (index.search(vectors_of(2), 3)[0] == -1).all()


@pytest.mark.parametrize("way", [SCAN, DECODE])
def test_nothing_to_search_or_to_search_for(monkeypatch, way):
    monkeypatch.setattr(lopq_index, "SHARED_DECODING", way)
    index = LopqIndex(LopqParams(coarse=2, subquantisers=4, bits=4))
    index.fit(vectors_of(30), 0)
    ids, scores = index.search(vectors_of(2), 3)
    assert (ids == -1).all()
    assert (scores == -np.inf).all()
    index.add(vectors_of(0))
    index.add(vectors_of(30))
    ids, scores = index.search(np.empty((0, 16), np.float32), 3)
    assert ids.shape == scores.shape == (0, 3)


def test_what_cannot_be_searched():
    index = LopqIndex(LopqParams(coarse=2, subquantisers=4, bits=4))
    for call in (lambda: index.search(vectors_of(0), 1), lambda: index.add(vectors_of(1))):
        with pytest.raises(ValueError, match="not fitted"):
            call()
    index.fit(vectors_of(30), 0)
    index.add(vectors_of(30))
    for k in (0, -1):
        with pytest.raises(ValueError, match=f"k = {k}"):
            index.search(vectors_of(1), k)
    with pytest.raises(ValueError, match="quota = 0"):
        index.search(vectors_of(1), 1, quota=0)
    broken = vectors_of(3)
    broken[1, 2] = np.nan
    for bad, words in ((broken, "non-finite"), (vectors_of(3, 12), "shape"), (broken[0], "shape")):
        with pytest.raises(ValueError, match=words):
            index.search(bad, 1)
        with pytest.raises(ValueError, match=words):
            index.add(bad, np.arange(100, 100 + len(bad)))
    assert len(index) == 30


@pytest.mark.parametrize("way", [SCAN, DECODE])
@pytest.mark.parametrize("value", [0.0, 0.3])
@pytest.mark.parametrize("splits", [1, 2])
def test_equal_vectors(monkeypatch, way, value, splits):
    monkeypatch.setattr(lopq_index, "SHARED_DECODING", way)
    vectors = np.full((40, 16), value, np.float32)
    ids, scores = made(vectors, splits=splits).search(vectors[:3], 45)
    assert (np.sort(ids[:, :40], axis=1) == np.arange(40)).all()
    np.testing.assert_allclose(scores[:, :40], 0, atol=1e-5)
    assert (ids[:, 40:] == -1).all()


@pytest.mark.parametrize("codebooks", ["local", "shared"])
def test_one_vector(codebooks):
    vector = vectors_of(1)
    ids, scores = made(vector, [7], coarse=1, codebooks=codebooks).search(vector, 2)
    assert ids.tolist() == [[7, -1]]
    assert abs(scores[0, 0]) < 1e-5


def test_bytes_of_a_vector():
    vectors = vectors_of(400)
    arrays, _ = (index := made(vectors, bits=8)).state()
    assert arrays["codes"].shape == (400, 4)
    assert index.bytes_per_vector == sum(array.nbytes for array in arrays.values()) / 400
    assert made(vectors).state()[0]["codes"].shape == (400, 2)
