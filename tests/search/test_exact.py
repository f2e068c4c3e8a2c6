import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from car_retrieval.search import exact
from car_retrieval.search.exact import JOINED, search_exact


@pytest.fixture(autouse=True, scope="module")
def as_cut():
    """Blocks are searched as they are cut, however small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "JOINED", 1)
        yield


def oracle(queries, ids, vectors, k, exclude=None):
    """Sort everything in float64: falling score, then rising id."""
    hits = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf)
    for row, query in enumerate(queries.astype(float)):
        products = vectors.astype(float) @ query
        order = np.lexsort((ids, -products))
        order = order[ids[order] >= 0]
        if exclude is not None:
            order = order[ids[order] != exclude[row]]
        order = order[:k]
        hits[row, : len(order)], scores[row, : len(order)] = ids[order], products[order]
    return hits, scores


def in_blocks(ids, vectors, size):
    for start in range(0, len(ids), size):
        yield ids[start : start + size], vectors[start : start + size]


def small_integers(rows, width):
    values = st.integers(-2, 2).map(float)
    return hnp.arrays(np.float32, (rows, width), elements=values)


@given(data=st.data())
def test_equals_sorting_everything(data):
    # Products of small integers are exact in float32, and many of them are equal.
    width, n, q = (data.draw(st.integers(low, high)) for low, high in ((1, 3), (0, 40), (0, 25)))
    vectors, queries = data.draw(small_integers(n, width)), data.draw(small_integers(q, width))
    ids = np.array(data.draw(st.permutations(range(0, 3 * n, 3))), dtype=np.int64)
    left_out = data.draw(hnp.arrays(bool, n, elements=st.booleans()))
    ids[left_out] = -1
    k, size = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 50))
    exclude = None
    if data.draw(st.booleans()):
        choices = st.sampled_from([-1, *ids.tolist()])
        exclude = np.array([data.draw(choices) for _ in range(q)], dtype=np.int64)
    result = search_exact(np.arange(q), queries, in_blocks(ids, vectors, size), k, exclude)
    hits, scores = oracle(queries, ids, vectors, k, exclude)
    np.testing.assert_array_equal(result.hits, hits)
    np.testing.assert_array_equal(result.scores, scores)


@pytest.mark.parametrize("copies", [2, 9, 300])
@pytest.mark.parametrize("queries", [1, 64])
def test_ties_of_real_vectors_are_cut_by_the_smaller_id(copies, queries):
    # faiss computes few and many products by different means, which differ in the last bit.
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(500, 33)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    wanted = rng.normal(size=(queries, 33)).astype(np.float32)
    same = np.sort(rng.choice(500, copies, replace=False))
    vectors[same] = wanted[-1] / np.linalg.norm(wanted[-1])
    result = search_exact(np.arange(queries), wanted, [(np.arange(500), vectors)], 5)
    assert result.hits[-1, : min(5, copies)].tolist() == same[:5].tolist()


@pytest.mark.parametrize("size", [3, 7, 64, 1000])
def test_blocks_do_not_matter(size):
    rng = np.random.default_rng(2)
    vectors = rng.integers(-3, 4, (200, 4)).astype(np.float32)
    queries, ids = vectors[:40], rng.permutation(200)
    result = search_exact(ids[:40], queries, in_blocks(ids, vectors, size), 10, ids[:40])
    hits, scores = oracle(queries, ids, vectors, 10, ids[:40])
    np.testing.assert_array_equal(result.hits, hits)
    np.testing.assert_array_equal(result.scores, scores)
    assert result.query_ids.tolist() == ids[:40].tolist()


@pytest.mark.parametrize("gallery", [[], [(np.arange(0), np.zeros((0, 2), np.float32))]])
def test_an_empty_gallery(gallery):
    result = search_exact(np.arange(3), np.ones((3, 2)), gallery, 4)
    assert (result.hits == -1).all()
    assert result.hits.shape == (3, 4)


def test_an_only_vector_that_is_excluded():
    vector = np.ones((1, 2), np.float32)
    result = search_exact(np.array([5]), vector, [(np.array([5]), vector)], 2, np.array([5]))
    assert result.hits.tolist() == [[-1, -1]]


def test_float64_and_strided_input():
    vectors = np.asfortranarray(np.eye(3))
    result = search_exact(np.arange(3), vectors[::-1], [(np.arange(3), vectors)], 1)
    assert result.hits[:, 0].tolist() == [2, 1, 0]


@pytest.mark.parametrize("k", [0, -3])
def test_fewer_than_one_neighbour(k):
    with pytest.raises(ValueError, match=f"k = {k}"):
        search_exact(np.arange(1), np.ones((1, 2)), [(np.arange(1), np.ones((1, 2)))], k)


def test_a_device_of_torch_gives_the_same_to_the_last_bit(monkeypatch):
    rng = np.random.default_rng(8)
    vectors, queries = (rng.normal(size=(rows, 48)).astype(np.float32) for rows in (900, 70))
    vectors[100:130] = vectors[3]
    gallery = list(in_blocks(np.arange(900), vectors, 250))
    wanted = search_exact(np.arange(70), queries, gallery, 12)
    monkeypatch.setattr(exact, "product_device", lambda: "cpu:0")  # torch's, not faiss
    monkeypatch.setattr(faiss, "knn", None)
    result = search_exact(np.arange(70), queries, gallery, 12)
    np.testing.assert_array_equal(result.hits, wanted.hits)
    np.testing.assert_array_equal(result.scores, wanted.scores)


@pytest.mark.parametrize("listed", [1, 3_000, 2**22])
def test_a_gallery_of_equal_vectors_is_listed_in_parts(monkeypatch, listed):
    monkeypatch.setattr(exact, "LISTED", listed)
    vectors = np.ones((700, 4), np.float32)
    ids = np.random.default_rng(0).permutation(700)
    result = search_exact(np.arange(9), vectors[:9], list(in_blocks(ids, vectors, 300)), 5)
    np.testing.assert_array_equal(result.hits, np.tile(np.arange(5), (9, 1)))
    assert (result.scores == 4).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value):
    vectors = np.ones((20, 4), np.float32)
    spoilt = vectors.copy()
    spoilt[7, 2] = value
    for queries, gallery in ((spoilt, vectors), (vectors, spoilt)):
        with pytest.raises(ValueError, match="non-finite"):
            search_exact(np.arange(20), queries, [(np.arange(20), gallery)], 3)


@pytest.mark.filterwarnings("error")
def test_a_device_of_torch_takes_what_is_mapped_read_only(monkeypatch):
    monkeypatch.setattr(exact, "product_device", lambda: "cpu:0")
    vectors = np.eye(6, dtype=np.float32)
    vectors.setflags(write=False)
    result = search_exact(np.arange(6), vectors, [(np.arange(6), vectors)], 1)
    np.testing.assert_array_equal(result.hits[:, 0], np.arange(6))


def test_small_blocks_are_searched_together(monkeypatch):
    rng = np.random.default_rng(0)
    vectors, ids = rng.normal(size=(9_000, 4)).astype(np.float32), rng.permutation(9_000)
    apart = search_exact(np.arange(5), vectors[:5], in_blocks(ids, vectors, 256), 20)
    search, sizes = exact._block_top, []

    def counted(queries, ids, *rest):
        sizes.append(len(ids))
        return search(queries, ids, *rest)

    monkeypatch.setattr(exact, "_block_top", counted)
    monkeypatch.setattr(exact, "JOINED", JOINED)
    together = search_exact(np.arange(5), vectors[:5], in_blocks(ids, vectors, 256), 20)
    assert sizes == [4_096, 4_096, 808]
    np.testing.assert_array_equal(together.hits, apart.hits)
    np.testing.assert_array_equal(together.scores, apart.scores)


def test_equal_vectors_are_listed_in_parts(monkeypatch):
    vectors, queries = np.ones((300, 2), np.float32), np.ones((50, 2), np.float32)
    listed, product = [], exact.inner_products

    def counted(queries, vectors, places):
        listed.append(places.size)
        return product(queries, vectors, places)

    monkeypatch.setattr(exact, "inner_products", counted)
    monkeypatch.setattr(exact, "LISTED", 1_000)
    result = search_exact(np.arange(50), queries, [(np.arange(300)[::-1], vectors)], 1)
    assert (result.hits == 0).all()
    assert max(listed) <= 1_000
