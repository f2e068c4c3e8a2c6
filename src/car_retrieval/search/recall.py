"""Recall of an approximate search against exact search."""

import numpy as np


def recall_against_exact(scores: np.ndarray, exact_scores: np.ndarray, k: int) -> float:
    """Mean share of the exact search's first k that are among the hits, by score.

    A hit counts if its inner product is at least the k-th best: of equally good neighbours any
    will do. Where the gallery holds fewer than k, all of these are wanted.

    Args:
        scores: float [q, m], exact inner products of the hits in any order, each gallery vector
            once a query; -inf where there is none. With m > k: recall of the first m candidates.
        exact_scores: float [q, at least k, or the whole gallery], falling, -inf where there is
            none. Of the same function as `scores`, such as `search.products.inner_products`.
        k: neighbours wanted.

    Returns:
        In [0, 1]; NaN without queries, or with an empty gallery.

    Raises:
        ValueError: the two are not of the same queries.
    """
    if len(scores) != len(exact_scores):
        raise ValueError(f"hits of {len(scores)} queries against {len(exact_scores)} exact ones")
    wanted = np.isfinite(exact_scores[:, :k]).sum(axis=1)
    if not wanted.any():
        return float("nan")
    last = np.take_along_axis(exact_scores, np.maximum(wanted, 1)[:, None] - 1, axis=1)
    found = (np.isfinite(scores) & (scores >= last)).sum(axis=1)
    some = wanted > 0
    return float(np.mean(np.minimum(found, wanted)[some] / wanted[some]))
