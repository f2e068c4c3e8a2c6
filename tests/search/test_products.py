import faiss
import numpy as np
import pytest

from car_retrieval.search.products import inner_products, top_k


def made(queries, count, dimension, width):
    rng = np.random.default_rng(0)
    rows = rng.integers(-1, count, (queries, width))
    shapes = (queries, dimension), (count, dimension)
    return *(rng.normal(size=shape).astype(np.float32) for shape in shapes), rows


@pytest.mark.parametrize("dimension", [1, 7, 33, 256, 1_000])
def test_products(dimension):
    queries, vectors, rows = made(5, 20, dimension, 9)
    wanted = np.einsum("qd,qkd->qk", queries.astype(float), vectors[rows].astype(float))
    wanted[rows < 0] = -np.inf
    products = inner_products(queries, vectors, rows)
    assert products.dtype == np.float32
    np.testing.assert_allclose(products, wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("dimension", [7, 33, 256])
def test_a_pair_has_one_product_to_the_last_bit(tmp_path, dimension):
    queries, vectors, rows = made(40, 50, dimension, 9)
    wanted = inner_products(queries, vectors, rows)
    np.save(tmp_path / "vectors.npy", vectors)
    read_only = vectors.copy()
    read_only.flags.writeable = False
    wide = np.repeat(vectors, 2, axis=1)
    for same in (
        np.load(tmp_path / "vectors.npy", mmap_mode="r"),
        read_only,
        np.asfortranarray(vectors),
        wide[:, ::2],
        vectors.astype(np.float64),
    ):
        np.testing.assert_array_equal(inner_products(queries, same, rows), wanted)
    for q in range(0, 40, 7):
        alone = inner_products(queries[q : q + 1], vectors[9:], rows[q : q + 1, ::-1] - 9)
        known = rows[q, ::-1] >= 9
        np.testing.assert_array_equal(alone[0, known], wanted[q, ::-1][known])
    threads = faiss.omp_get_max_threads()
    try:
        for count in (1, 2, 3):
            faiss.omp_set_num_threads(count)
            np.testing.assert_array_equal(inner_products(queries, vectors, rows), wanted)
    finally:
        faiss.omp_set_num_threads(threads)


def test_what_would_read_beyond_the_vectors():
    queries, vectors, rows = made(5, 20, 8, 9)
    with pytest.raises(ValueError, match=r"row 20 .* 20 vectors"):
        inner_products(queries, vectors, rows + 20 - rows.max())
    with pytest.raises(ValueError, match="8 dimensions, but vectors 7"):
        inner_products(queries, vectors[:, :7], rows)


def test_top_k():
    ids = np.array([[4, 2, -1, 9], [7, 3, 1, 2]])
    scores = np.array([[1, 1, -np.inf, 2], [0, -0.0, 5, -1]], np.float32)
    best, of = top_k(ids, scores, 3)
    assert best.tolist() == [[9, 2, 4], [1, 3, 7]]
    assert of.tolist() == [[2, 1, 1], [5, 0, 0]]
    assert top_k(ids, scores, 9)[0].shape == (2, 4)
