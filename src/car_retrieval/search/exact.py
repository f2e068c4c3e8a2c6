"""Exact maximum inner product search over a streamed gallery."""

from collections.abc import Iterable, Iterator
from functools import cache

import faiss
import numpy as np

from car_retrieval.search.index import check_positive, checked_vectors
from car_retrieval.search.products import inner_products, merged, top_k
from car_retrieval.search.result import RetrievalResult

SPARE = 8  # extra candidates, so that near-ties at the cut-off are rare
LISTED = 2**22  # candidates per batch if many products are nearly equal
JOINED = 4_096  # rows to which small blocks are joined
ROUNDING = 2e-6  # largest error of a float32 matrix product, relative to the product of the norms

Block = tuple[np.ndarray, np.ndarray]
"""Gallery ids int64 [m] and their descriptors float32 [m, d]; id -1: not to be found."""


def search_exact(
    query_ids: np.ndarray,
    queries: np.ndarray,
    gallery: Iterable[Block],
    k: int,
    exclude: np.ndarray | None = None,
) -> RetrievalResult:
    """Find the k gallery descriptors with the largest inner product for each query.

    The gallery is processed in blocks, so that memory does not depend on its size. A matrix product
    finds the candidates and `inner_products` scores them: the result is bit-identical for any
    split of queries and gallery into blocks. Ties are broken by the smaller id.

    Args:
        query_ids: int64 [q].
        queries: float32 [q, d].
        gallery: blocks of ids and descriptors; ids are unique, or -1 for rows to leave out.
        k: neighbours per query; fewer if the gallery is smaller.
        exclude: int64 [q], an id that each query must not find (its own); -1: none.

    Returns:
        Ids and inner products in descending order.

    Raises:
        ValueError: k is less than 1, or a value is not finite.
    """
    check_positive(k=k)
    queries = checked_vectors(queries)
    hits = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    for ids, vectors in _joined(gallery):
        found = _block_top(queries, ids, vectors, k, exclude, scores[:, -1])
        hits, scores = merged((hits, scores), found, k)
    return RetrievalResult(np.asarray(query_ids, np.int64), hits, scores)


def _joined(gallery: Iterable[Block]) -> Iterator[Block]:
    """Join small blocks, because each block costs a sort of all lists found so far."""
    waiting: list[Block] = []
    for block in gallery:
        waiting.append(block)
        if sum(len(ids) for ids, _ in waiting) >= JOINED:
            yield _one(waiting)
            waiting = []
    if waiting:
        yield _one(waiting)


def _one(blocks: list[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    ids, vectors = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return ids, vectors


def _block_top(
    queries: np.ndarray,
    ids: np.ndarray,
    vectors: np.ndarray,
    k: int,
    exclude: np.ndarray | None,
    floor: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and scores of at least a block's best k that reach the floor; -1: none."""
    vectors = np.ascontiguousarray(vectors, np.float32)
    wanted = k + (exclude is not None)
    found, scores = _candidates(queries, ids, vectors, wanted, wanted + SPARE, floor)
    if exclude is not None:
        own = found == exclude[:, None]
        found, scores = np.where(own, -1, found), np.where(own, -np.inf, scores)
    return found, scores


def _candidates(
    queries: np.ndarray,
    ids: np.ndarray,
    vectors: np.ndarray,
    wanted: int,
    depth: int,
    floor: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and scores of candidates that include the best `wanted` that reach the floor.

    The matrix product and `inner_products` differ in the last bits. If the last product of the list
    is not clearly below the one at `wanted`, rows to leave out not counted, the list is extended.
    """
    depth = min(depth, len(vectors))
    rough, places = largest_products(queries, vectors, depth, product_device())
    longest = np.sqrt(np.einsum("nd,nd->n", vectors, vectors).max(initial=0))
    if not np.isfinite(longest):
        raise ValueError("the gallery has non-finite values: run the pipeline encoding again")
    margin = ROUNDING * longest * np.linalg.norm(queries, axis=1)
    skipped = ids[places] < 0
    places[skipped | (rough < (floor - margin)[:, None])] = -1
    scores = inner_products(queries, vectors, places)
    found = np.where(places < 0, -1, ids[places])
    if depth <= wanted or depth == len(vectors):
        return found, scores
    last_wanted = rough[:, wanted - 1]
    if skipped.any():
        last_wanted = -np.sort(np.where(skipped, np.inf, -rough), axis=1)[:, wanted - 1]
    close = (last_wanted - rough[:, -1] <= margin) & (rough[:, -1] >= floor - margin)
    close = np.flatnonzero(close)
    step = max(1, LISTED // (4 * depth))
    for part in (close[start : start + step] for start in range(0, len(close), step)):
        more = _candidates(queries[part], ids, vectors, wanted, 4 * depth, floor[part])
        found[part], scores[part] = top_k(*more, depth)
    return found, scores


def largest_products(
    queries: np.ndarray, vectors: np.ndarray, depth: int, device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Find the largest entries, per row and descending, of the product of queries and vectors.

    Args:
        queries: float32 [q, d].
        vectors: float32 [n, d].
        depth: entries per row, at most n.
        device: `cpu` (faiss), or a device of torch.

    Returns:
        Products float32 [q, depth] and rows of `vectors` int64 [q, depth].
    """
    if device == "cpu":
        return faiss.knn(queries, vectors, depth, metric=faiss.METRIC_INNER_PRODUCT)
    import torch

    left, right = (
        torch.from_numpy(np.require(array, requirements="W")).to(
            device
        )  # memory maps are not writable
        for array in (queries, vectors)
    )
    products, places = (left @ right.T).topk(depth)
    return products.cpu().numpy(), places.cpu().numpy()


@cache
def product_device() -> str:
    """Return `cuda` if torch finds a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
