"""Exact maximum inner product search over a gallery that streams by."""

from collections.abc import Iterable, Iterator
from functools import cache

import faiss
import numpy as np

from car_retrieval.search.index import check_positive, checked_vectors
from car_retrieval.search.products import inner_products, top_k
from car_retrieval.search.result import RetrievalResult

SPARE = 8  # candidates more than wanted, so that the cut between them is seldom close
LISTED = 2**22  # candidates listed at a time where many products are nearly equal
JOINED = 4_096  # rows that small blocks are joined to
ROUNDING = 2e-6  # largest error of a float32 matrix product, of the product of the lengths

Block = tuple[np.ndarray, np.ndarray]
"""Gallery ids int64 [m] and their descriptors float32 [m, d]."""


def search_exact(
    query_ids: np.ndarray,
    queries: np.ndarray,
    gallery: Iterable[Block],
    k: int,
    exclude: np.ndarray | None = None,
) -> RetrievalResult:
    """Find the k gallery descriptors with the largest inner product for each query.

    The gallery is seen one block at a time, so that memory is flat in its size. A matrix product
    finds the candidates, `inner_products` scores them: the result is the same to the last bit
    however the queries and the gallery are cut. Equal scores are ordered, and at the end of the
    list chosen, by the smaller id.

    Args:
        query_ids: int64 [q].
        queries: float32 [q, d].
        gallery: blocks of ids and descriptors; ids are unique and not negative.
        k: neighbours a query; fewer where the gallery is smaller.
        exclude: int64 [q], an id that each query must not find (itself), -1 for none.

    Returns:
        Ids and inner products in falling order.

    Raises:
        ValueError: k is less than 1, or a value is not finite.
    """
    check_positive(k=k)
    queries = checked_vectors(queries)
    hits = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    for ids, vectors in _joined(gallery):
        found_ids, found_scores = _block_top(queries, ids, vectors, k, exclude, scores[:, -1])
        hits, scores = top_k(
            np.concatenate([hits, found_ids], axis=1),
            np.concatenate([scores, found_scores], axis=1),
            k,
        )
    return RetrievalResult(np.asarray(query_ids, np.int64), hits, scores)


def _joined(gallery: Iterable[Block]) -> Iterator[Block]:
    """Blocks of some thousand rows: each costs a sorting of all lists found so far."""
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
    """Ids and scores of a block's best k that reach the floor, and of some more; -1 is none."""
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
    """Ids and scores of vectors, the best `wanted` that reach the floor surely among them.

    The matrix product and `inner_products` differ in the last bits. Where the product at the end
    of the list is not clearly below that at `wanted`, the list is made longer.
    """
    depth = min(depth, len(vectors))
    rough, places = largest_products(queries, vectors, depth, product_device())
    longest = np.sqrt(np.einsum("nd,nd->n", vectors, vectors).max(initial=0))
    if not np.isfinite(longest):
        raise ValueError("the gallery holds a value that is not finite: encode it again")
    margin = ROUNDING * longest * np.linalg.norm(queries, axis=1)
    places[rough < (floor - margin)[:, None]] = -1
    scores = inner_products(queries, vectors, places)
    found = np.where(places < 0, -1, ids[places])
    if depth <= wanted or depth == len(vectors):
        return found, scores
    close = (rough[:, wanted - 1] - rough[:, -1] <= margin) & (rough[:, -1] >= floor - margin)
    close = np.flatnonzero(close)
    step = max(1, LISTED // (4 * depth))
    for part in (close[start : start + step] for start in range(0, len(close), step)):
        more = _candidates(queries[part], ids, vectors, wanted, 4 * depth, floor[part])
        found[part], scores[part] = top_k(*more, depth)
    return found, scores


def largest_products(
    queries: np.ndarray, vectors: np.ndarray, depth: int, device: str
) -> tuple[np.ndarray, np.ndarray]:
    """The largest entries of the matrix product of queries and vectors, falling, by row.

    Args:
        queries: float32 [q, d].
        vectors: float32 [n, d].
        depth: entries wanted, at most n.
        device: `cpu`, where faiss does it, or a device of torch.

    Returns:
        Products float32 [q, depth] and places int64 [q, depth].
    """
    if device == "cpu":
        return faiss.knn(queries, vectors, depth, metric=faiss.METRIC_INNER_PRODUCT)
    import torch

    left, right = (
        torch.from_numpy(np.require(array, requirements="W")).to(device)  # mapped ones are not
        for array in (queries, vectors)
    )
    products, places = (left @ right.T).topk(depth)
    return products.cpu().numpy(), places.cpu().numpy()


@cache
def product_device() -> str:
    """`cuda` where torch finds a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
