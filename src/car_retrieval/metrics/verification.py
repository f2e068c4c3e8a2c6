"""Verification of photo pairs: ROC curve, AUC and equal error rate on a seeded pair list."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score, roc_curve


@dataclass(frozen=True, eq=False)
class Verification:
    """Separation of same-class pairs from different-class pairs by similarity.

    Attributes:
        auc: Probability that a positive pair scores above a negative one; ties count half.
        eer: Equal error rate of false accepts and false rejects.
        threshold: Similarity at the EER; pairs at or above it count as the same class.
        false_accepts: float64 [t], share of negative pairs accepted, ascending from 0 to 1.
        true_accepts: float64 [t], share of positive pairs accepted at the same thresholds.
    """

    auc: float
    eer: float
    threshold: float
    false_accepts: NDArray[np.float64]
    true_accepts: NDArray[np.float64]


def sample_pairs(
    query_labels: pd.Series, gallery_labels: pd.Series, seed: int
) -> NDArray[np.int64]:
    """Draw a balanced pair list: per query, one gallery image of its class and one of another.

    Pairs of equal ids are excluded, so that queries and gallery may be one table. Queries without a
    positive are left out. The result depends on seed and labels, not on the order of the gallery.

    Args:
        query_labels: Classes indexed by query id.
        gallery_labels: Classes indexed by gallery id.
        seed: Seed of the random draw.

    Returns:
        int64 [m, 3]: query id, gallery id, 1 for the same class or 0. Rows 2i and 2i + 1 are the
        pairs of one query.

    Raises:
        ValueError: If no query has a positive, or a query with one has no negative.
    """
    gallery = gallery_labels.sort_index().sort_values(kind="stable")
    ids, classes = gallery.index.to_numpy(), gallery.to_numpy()
    query_ids, query_classes = query_labels.index.to_numpy(), query_labels.to_numpy()
    # A class is a range of the sorted gallery: first <= position < last.
    first = np.searchsorted(classes, query_classes, side="left")
    last = np.searchsorted(classes, query_classes, side="right")
    own = gallery.index.get_indexer(query_labels.index)  # -1 = missing
    own_inside = (own >= first) & (own < last)
    own_outside = (own >= 0) & ~own_inside
    positives = last - first - own_inside
    negatives = len(gallery) - (last - first) - own_outside

    paired = positives > 0
    if not paired.any():
        raise ValueError("no query has a gallery image of its class: no pairs to draw")
    if (negatives[paired] == 0).any():
        raise ValueError("negative pairs require a gallery of at least two classes")

    # Draw an index among the candidates and skip excluded ones, without retries.
    rng = np.random.default_rng(seed)
    positive = first + rng.integers(0, np.maximum(positives, 1))
    positive += own_inside & (positive >= own)
    negative = rng.integers(0, np.maximum(negatives, 1))
    own_rank = np.where(own < first, own, own - (last - first))
    negative += own_outside & (negative >= own_rank)
    negative += np.where(negative >= first, last - first, 0)

    pairs = np.empty((int(paired.sum()), 2, 3), dtype=np.int64)
    pairs[:, :, 0] = query_ids[paired, None]
    pairs[:, 0, 1], pairs[:, 1, 1] = ids[positive[paired]], ids[negative[paired]]
    pairs[:, :, 2] = (1, 0)
    return pairs.reshape(-1, 3)


def verification(scores: ArrayLike, labels: ArrayLike) -> Verification:
    """Compute AUC, and the EER by interpolation between adjacent ROC points.

    Args:
        scores: float [m], similarity of each pair.
        labels: int [m], 1 = same class, 0 = different.

    Example: the scores .9 .8 .7 .6 with labels 1 0 1 0 give AUC 3/4 (of four pairings only
    .7 against .8 is wrong) and EER 1/2.

    Raises:
        ValueError: If shapes differ, a score is NaN or infinite, or only one label occurs.
    """
    similarity, same = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if similarity.ndim != 1 or similarity.shape != same.shape:
        raise ValueError(f"scores {similarity.shape} and labels {same.shape} must both be (m,)")
    if not np.isfinite(similarity).all():
        raise ValueError(
            f"pair {int(np.argmin(np.isfinite(similarity)))} has a score that is not finite"
        )
    if set(np.unique(same)) != {0, 1}:
        raise ValueError(f"labels must include 1 and 0, not only {np.unique(same).tolist()}")
    false_accepts, true_accepts, thresholds = roc_curve(same, similarity, drop_intermediate=False)
    excess = false_accepts - (1 - true_accepts)  # false accepts minus false rejects: -1 to 1
    right = int(np.argmax(excess >= 0))
    left = right - 1
    share = -excess[left] / (excess[right] - excess[left])
    eer = false_accepts[left] + share * (false_accepts[right] - false_accepts[left])
    # The curve starts at an infinite threshold, from which interpolation is impossible.
    low = thresholds[left] if left > 0 else thresholds[right]
    return Verification(
        auc=float(roc_auc_score(same, similarity)),
        eer=float(eer),
        threshold=float(low + share * (thresholds[right] - low)),
        false_accepts=false_accepts,
        true_accepts=true_accepts,
    )
