import faiss
import numpy as np
import pytest

from car_retrieval.search.faiss_index import FaissIndex


def vectors_of(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 32)).astype(np.float32)


def made(factory, vectors, ids=None, **search):
    index = FaissIndex(factory, search)
    index.fit(vectors, 0)
    index.add(vectors, ids)
    return index


@pytest.mark.parametrize(
    ("factory", "search", "share"),
    [
        ("Flat", {}, 1),
        ("HNSW16", {"efSearch": 64}, 0.95),
        ("SQ8", {}, 1),
        ("IVF16,Flat", {"nprobe": 16}, 1),
        ("IVF16,RaBitQ", {"nprobe": 16}, 0.9),
        ("IVF16,PQ8x4fs", {"nprobe": 16}, 0.7),
        ("PCA16,IVF16,SQ8", {"nprobe": 16}, 0.95),
        ("PQ16x4", {}, 0.8),
        ("OPQ1_4,IVF16,Flat", {"nprobe": 16}, 0.9),
    ],
)
def test_a_vector_finds_itself(capfd, factory, search, share):
    ids = 2**62 + 3 * np.random.default_rng(1).permutation(600)
    index = made(factory, vectors := vectors_of(600), ids, **search)
    found, scores = index.search(vectors[:200], 5)
    assert (found[:, 0] == ids[:200]).mean() >= share
    assert np.isin(found, ids).all()
    assert (np.diff(scores, axis=1) <= 0).all()
    assert scores.dtype == np.float32
    assert capfd.readouterr().err == ""  # faiss warns of each k-means with few points


def test_flat_scores_are_negative_squared_distances():
    vectors, queries = vectors_of(100), vectors_of(30, seed=1)
    ids, scores = made("Flat", vectors).search(queries, 120)
    distances = ((queries[:, None].astype(float) - vectors) ** 2).sum(axis=2)
    np.testing.assert_array_equal(ids[:, :100], distances.argsort(axis=1))
    np.testing.assert_allclose(-scores[:, :100], np.sort(distances, axis=1), rtol=1e-4)
    assert (ids[:, 100:] == -1).all()
    assert (scores[:, 100:] == -np.inf).all()


def test_search_parameters_are_applied():
    vectors, queries = vectors_of(600), vectors_of(50, seed=1)
    exact, _ = made("Flat", vectors).search(queries, 5)
    few, all_cells = (
        (made("IVF16,Flat", vectors, nprobe=nprobe).search(queries, 5)[0] == exact).mean()
        for nprobe in (1, 16)
    )
    assert few < all_cells == 1


@pytest.mark.parametrize(
    ("factory", "search", "words"),
    [
        ("nonsense", {}, "faiss index 'nonsense': could not parse"),
        ("", {}, "could not parse"),
        ("IVF100,Flat", {}, r"Number of training points \(50\)"),
        ("PQ7", {}, "should be a multiple"),
        ("IVF4,Flat", {"nprob": 3}, "faiss index 'IVF4,Flat': .*could not set parameter nprob"),
    ],
)
def test_what_cannot_be_fitted(factory, search, words):
    index = FaissIndex(factory, search)
    with pytest.raises(ValueError, match=words) as caught:
        index.fit(vectors_of(50), 0)
    assert "\n" not in str(caught.value)
    assert ".cpp" not in str(caught.value)
    with pytest.raises(ValueError, match="not fitted"):
        index.search(vectors_of(1), 1)


@pytest.mark.parametrize("factory", ["PQ8np", "IVF1,PQ8x4fs", "OPQ8,PQ8np", "IVF1,RaBitQ"])
@pytest.mark.parametrize("count", [1, 3, 50])
def test_few_vectors_suffice(factory, count):
    """`np`: without faiss's polysemous training, which takes 17 s for any number of vectors."""
    index = FaissIndex(factory)
    index.fit(vectors_of(count), 0)
    index.add(vectors_of(count))
    found, _ = index.search(vectors_of(count), 1)
    assert (found >= 0).all()


def test_batches_between_searches():
    vectors, queries = vectors_of(90), vectors_of(9, seed=1)
    ids = np.random.default_rng(2).permutation(90)
    index = FaissIndex("Flat")
    index.fit(vectors, 0)
    for rows in np.split(np.arange(90), [1, 40]):
        index.add(vectors[rows], ids[rows])
        index.search(queries, 3)
    wanted = made("Flat", vectors, ids).search(queries, 7)
    for found, theirs in zip(index.search(queries, 7), wanted, strict=True):
        np.testing.assert_array_equal(found, theirs)
    with pytest.raises(ValueError, match=f"duplicate id {ids[3]}"):
        index.add(vectors[:1], ids[3:4])
    index.fit(vectors, 0)
    assert len(index) == 0
    assert (index.search(queries, 2)[0] == -1).all()


def test_what_cannot_be_searched():
    index = FaissIndex("Flat")
    for call in (lambda: index.search(vectors_of(0), 1), lambda: index.add(vectors_of(1))):
        with pytest.raises(ValueError, match="not fitted"):
            call()
    index.fit(vectors_of(20), 0)
    index.add(vectors_of(20))
    assert index.search(vectors_of(0), 3)[0].shape == (0, 3)
    with pytest.raises(ValueError, match="k = 0"):
        index.search(vectors_of(1), 0)
    broken = vectors_of(3)
    broken[1, 2] = np.nan
    for bad, words in ((broken, "non-finite"), (broken[:, :8], "shape"), (broken[0], "shape")):
        with pytest.raises(ValueError, match=words):
            index.search(bad, 1)
        with pytest.raises(ValueError, match=words):
            index.add(bad, np.arange(50, 50 + len(bad)))
    assert len(index) == 20


def test_bytes_of_a_vector():
    index = made("SQ8", vectors_of(500))
    assert 32 + 8 <= index.bytes_per_vector < 32 + 8 + 2
    assert faiss.deserialize_index(index.state()[0]["index"]).ntotal == 500


def test_search_parameters_can_be_changed():
    vectors = np.random.default_rng(3).normal(size=(400, 16)).astype(np.float32)
    index = FaissIndex("IVF16,Flat", {"nprobe": 1})
    index.fit(vectors, 0)
    index.add(vectors)
    few, _ = index.search(vectors[:20], 60)
    index.tune(nprobe=16)
    all_of_them, _ = index.search(vectors[:20], 60)
    assert (few == -1).any()
    assert (all_of_them >= 0).all()
    with pytest.raises(ValueError, match="IVF16,Flat"):
        index.tune(breadth=3)
    assert "breadth" not in index.parameters
