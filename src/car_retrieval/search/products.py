"""Reproducible inner products of queries with selected vectors, and top k."""

import numpy as np
from numba import njit

from car_retrieval.search.parallel import in_parallel


def inner_products(queries: np.ndarray, vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Compute inner products of each query with selected rows.

    Unlike a matrix product, the result depends only on the two vectors, not on batch or threads, so
    that every searcher gives a pair the same score to the last bit.

    Args:
        queries: float32 [q, D].
        vectors: float32 [n, D]; a C-ordered memory map is not copied.
        rows: int64 [q, k], -1 for none.

    Returns:
        float32 [q, k], -inf where the row is -1.

    Raises:
        ValueError: the dimensions differ, or a row is out of range.
    """
    products = np.empty(rows.shape, np.float32)
    # One layout and dtype, read-only like a memory map: compiled once, with one summation order.
    queries = np.ascontiguousarray(queries, np.float32)
    vectors = np.ascontiguousarray(vectors, np.float32).view()
    vectors.flags.writeable = False
    if queries.shape[1] != vectors.shape[1]:
        raise ValueError(
            f"queries have {queries.shape[1]} dimensions, but vectors {vectors.shape[1]}"
        )
    if rows.size and rows.max() >= len(vectors):
        raise ValueError(f"row {rows.max()} is out of range for {len(vectors)} vectors")
    in_parallel(lambda part: _fill(queries[part], vectors, rows[part], products[part]), len(rows))
    return products


def top_k(ids: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the top k of each row of ids and scores [q, m], by score, then by smaller id."""
    order = np.lexsort((ids, -scores), axis=1)[:, :k]
    return np.take_along_axis(ids, order, 1), np.take_along_axis(scores, order, 1)


def merged(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the top k of two lists of ids and scores of the same queries, see `top_k`."""
    ids, scores = (np.concatenate(pair, axis=1) for pair in zip(first, second, strict=True))
    return top_k(ids, scores, k)


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _fill(queries: np.ndarray, vectors: np.ndarray, rows: np.ndarray, products: np.ndarray) -> None:
    for q in range(len(queries)):
        for i in range(rows.shape[1]):
            row = rows[q, i]
            total = np.float32(0)
            if row < 0:
                total = np.float32(-np.inf)
            else:
                for d in range(queries.shape[1]):
                    total += queries[q, d] * vectors[row, d]
            products[q, i] = total
