"""Exact maximum inner product search over a gallery that streams by."""

from collections.abc import Iterable

import faiss
import numpy as np

from car_retrieval.metrics.results import RetrievalResult

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

    The gallery is seen one block at a time, so that memory is flat in its size. Equal scores are
    ordered, and at the end of the list chosen, by the smaller id.

    Args:
        query_ids: int64 [q].
        queries: float32 [q, d].
        gallery: blocks of ids and descriptors; ids are unique and not negative.
        k: neighbours a query; fewer where the gallery is smaller.
        exclude: int64 [q], an id that each query must not find (itself), -1 for none.

    Returns:
        Ids and inner products in falling order.
    """
    queries = np.ascontiguousarray(queries, np.float32)
    hits = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    for ids, vectors in gallery:
        found_ids, found_scores = _block_top(queries, ids, vectors, k, exclude)
        hits, scores = _merge([hits, found_ids], [scores, found_scores], k)
    return RetrievalResult(np.asarray(query_ids, np.int64), hits, scores)


def _block_top(
    queries: np.ndarray, ids: np.ndarray, vectors: np.ndarray, k: int, exclude: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(ids)
    ids, vectors = ids[order], np.ascontiguousarray(vectors[order], np.float32)
    depth = min(len(ids), k + 1 + (exclude is not None))
    scores, places = faiss.knn(queries, vectors, depth, metric=faiss.METRIC_INNER_PRODUCT)
    _resolve_ties(queries, vectors, scores, places)
    found = ids[places]
    if exclude is not None:
        own = found == exclude[:, None]
        found, scores = np.where(own, -1, found), np.where(own, -np.inf, scores)
    return found, scores


def _resolve_ties(
    queries: np.ndarray, vectors: np.ndarray, scores: np.ndarray, places: np.ndarray
) -> None:
    """Among equal scores at the end of the list, keep the smallest places (in place).

    faiss keeps any of them; one more result than needed shows whether the cut falls into a tie.
    """
    depth = scores.shape[1]
    if depth < 2 or depth == len(vectors):
        return
    tied = np.flatnonzero(scores[:, -1] == scores[:, -2])
    while len(tied) and depth < len(vectors):
        depth = min(len(vectors), 2 * depth)
        wide, where = faiss.knn(queries[tied], vectors, depth, metric=faiss.METRIC_INNER_PRODUCT)
        where, wide = _merge([where], [wide], depth)
        width = scores.shape[1]
        clear = (wide[:, -1] < wide[:, width - 1]) | (depth == len(vectors))
        done = tied[clear]
        scores[done], places[done] = wide[clear, :width], where[clear, :width]
        tied = tied[~clear]


def _merge(
    ids: list[np.ndarray], scores: list[np.ndarray], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best k of several lists a query, by falling score, then by rising id."""
    all_ids, all_scores = np.concatenate(ids, axis=1), np.concatenate(scores, axis=1)
    order = np.lexsort((all_ids, -all_scores), axis=1)[:, :k]
    return np.take_along_axis(all_ids, order, 1), np.take_along_axis(all_scores, order, 1)
