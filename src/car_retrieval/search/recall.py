"""Recall of an approximate search against exact search."""

import numpy as np


def recall_against_exact(scores: np.ndarray, exact_scores: np.ndarray, k: int) -> float:
    """Compute the mean share of the first k exact neighbours among the hits, by score.

    A hit counts if its inner product is at least the k-th best, so that ties do not matter. In a
    gallery of fewer than k vectors, all of them count.

    Args:
        scores: float [q, m], exact inner products of the hits in any order, each gallery vector at
            most once per query; -inf for none. With m > k: recall of the first m candidates.
        exact_scores: float [q, at least k, or the whole gallery], descending, -inf for none;
            computed by the same function as `scores`, such as `search.products.inner_products`.
        k: number of neighbours.

    Returns:
        Recall in [0, 1]; NaN without queries, or with an empty gallery.

    Raises:
        ValueError: the numbers of queries differ.
    """
    if len(scores) != len(exact_scores):
        raise ValueError(
            f"{len(scores)} queries have hits, but {len(exact_scores)} have exact scores"
        )
    wanted = np.isfinite(exact_scores[:, :k]).sum(axis=1)
    if not wanted.any():
        return float("nan")
    last = np.take_along_axis(exact_scores, np.maximum(wanted, 1)[:, None] - 1, axis=1)
    found = (np.isfinite(scores) & (scores >= last)).sum(axis=1)
    some = wanted > 0
    return float(np.mean(np.minimum(found, wanted)[some] / wanted[some]))
