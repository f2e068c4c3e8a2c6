import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.io.matrix import Matrix, write_matrix
from car_retrieval.search.exact import search_exact
from car_retrieval.search.lopq.fit import LopqParams
from car_retrieval.search.lopq.index import LopqIndex
from car_retrieval.search.searcher import Searcher, rerank


def unit_vectors(count, dimension=16, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def exact(queries, vectors, k, block=10**9):
    blocks = (
        (np.arange(len(vectors))[start : start + block], vectors[start : start + block])
        for start in range(0, len(vectors), block)
    )
    result = search_exact(np.arange(len(queries)), queries, blocks, k)
    return result.hits, result.scores


def assert_same(found, wanted):
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def lopq(vectors, **params):
    index = LopqIndex(LopqParams(**{"coarse": 4, "subquantisers": 4, "bits": 4} | params))
    index.fit(vectors, 0)
    index.add(vectors)
    return index


@given(data=st.data())
def test_full_visit_and_reranking_of_all_equal_exact_search(data):
    splits, bits = data.draw(st.sampled_from([1, 2])), data.draw(st.sampled_from([4, 8]))
    subquantisers = 2 * splits * data.draw(st.integers(1, 2))
    dimension = subquantisers * data.draw(st.integers(1, 3))
    count = data.draw(st.integers(1, 150))
    vectors = unit_vectors(count, dimension, seed=data.draw(st.integers(0, 99)))
    copies = data.draw(st.integers(0, count - 1))
    vectors[count - copies :] = vectors[0]
    queries = np.concatenate([unit_vectors(data.draw(st.integers(0, 40)), dimension, 7), vectors])
    coarse, k = data.draw(st.integers(1, min(5, count))), data.draw(st.integers(1, 170))
    codebooks = data.draw(st.sampled_from(["local", "shared"]))
    params = {"splits": splits, "coarse": coarse, "bits": bits, "codebooks": codebooks}
    index = lopq(vectors, subquantisers=subquantisers, **params)
    searcher = Searcher(index, vectors, rerank=count)
    wanted = exact(queries, vectors, k, data.draw(st.integers(1, 200)))
    assert_same(searcher.search(queries, k), wanted)
    for query in (0, len(queries) - 1):
        one = searcher.search(queries[query : query + 1], k)
        assert_same(one, (part[query : query + 1] for part in wanted))


@pytest.mark.parametrize("dimension", [32, 512])
def test_neither_threads_nor_batches_change_a_result(dimension):
    vectors, queries = unit_vectors(700, dimension), unit_vectors(60, dimension, 1)
    vectors[300:340] = vectors[5]
    queries[0] = vectors[5]
    searcher = Searcher(lopq(vectors), vectors, rerank=700)
    wanted = exact(queries, vectors, 20)
    threads = faiss.omp_get_max_threads()
    try:
        for count in (1, 2):
            faiss.omp_set_num_threads(count)
            for batch in (1, 7, 60):
                for start in range(0, 60, batch):
                    part = queries[start : start + batch]
                    rows = tuple(array[start : start + batch] for array in wanted)
                    assert_same(searcher.search(part, 20), rows)
                    if start < 14:
                        assert_same(exact(part, vectors, 20, 90 * batch), rows)
    finally:
        faiss.omp_set_num_threads(threads)


def test_reranking_few_candidates_orders_what_the_index_found():
    vectors, queries = unit_vectors(400), unit_vectors(30, seed=1)
    index = lopq(vectors)
    candidates, _ = index.search(queries, 25)
    ids, scores = Searcher(index, vectors, rerank=25).search(queries, 5)
    for q, query in enumerate(queries.astype(float)):
        products = vectors[candidates[q]].astype(float) @ query
        best = np.argsort(-products)[:5]
        assert ids[q].tolist() == candidates[q][best].tolist()
        np.testing.assert_allclose(scores[q], products[best], atol=1e-6)
    assert Searcher(index, vectors, rerank=3).search(queries, 8)[0].shape == (30, 8)
    assert_same(Searcher(index).search(queries, 5), index.search(queries, 5))


def test_a_matrix_on_disk_serves_as_well(tmp_path):
    vectors, queries = unit_vectors(300), unit_vectors(20, seed=1)
    write_matrix(tmp_path / "database.npy", vectors)
    on_disk = Matrix(tmp_path / "database.npy")
    index = lopq(vectors)
    from_disk = LopqIndex(index.params, index.model)
    from_disk.add(on_disk)
    assert_same(
        Searcher(from_disk, on_disk, 50).search(queries, 9),
        Searcher(index, vectors, 50).search(queries, 9),
    )


def test_what_cannot_be_reranked():
    vectors = unit_vectors(50)
    index = lopq(vectors)
    with pytest.raises(ValueError, match="re-ranking needs the vectors"):
        Searcher(index, rerank=5).search(vectors, 1)
    with pytest.raises(ValueError, match=r"row 49 .* 20 vectors"):
        rerank(vectors[:1], np.array([[3, 49]]), vectors[:20], 1)
    with pytest.raises(ValueError, match="k = 0"):
        Searcher(index, vectors, 5).search(vectors, 0)


def test_fewer_candidates_than_wanted():
    vectors = unit_vectors(50)
    ids, scores = rerank(vectors[:2], np.array([[-1, 0, 1], [-1, -1, -1]]), vectors, 3)
    assert ids[0].tolist() == [0, 1, -1]
    assert (ids[1] == -1).all()
    assert (scores[1] == -np.inf).all()
    assert Searcher(lopq(vectors), vectors, 5).search(vectors[:0], 3)[0].shape == (0, 3)
