"""Open-set identification: the threshold of "no match" for queries of unknown classes.

Terms of ISO/IEC 19795-1:2021. A search is *mated* if the gallery has a photo of its class other
than the query itself. It returns its first hit if that is at least as similar as a threshold, and
"no match" otherwise. FPIR, the false positive identification rate, is the share of non-mated
searches that return a hit; TPIR, the true positive identification rate, the share of mated searches
that return a correct hit.
Phillips, Grother and Micheals ("Evaluation Methods in Face Recognition", Handbook of Face
Recognition, 2011) call the two false alarm rate (FAR) and detection and identification rate (DIR).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from car_retrieval.search.result import RetrievalResult, row_blocks


@dataclass(frozen=True, eq=False)
class OpenSet:
    """First hits of mated and of non-mated searches.

    Attributes:
        mated: float32 [m], similarity of the first hit of each query with a photo of its class in
            the gallery; -inf if nothing was found.
        right: bool [m], whether that hit is of the query's class.
        non_mated: float32 [q], similarity of each query's first hit of another class, that is, of a
            search without the query's class.
        unknown: bool [q], queries without a photo of their class in the gallery.
    """

    mated: NDArray[np.float32]
    right: NDArray[np.bool_]
    non_mated: NDArray[np.float32]
    unknown: NDArray[np.bool_]


def open_set(
    result: RetrievalResult,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    *,
    self_in_gallery: bool = False,
) -> OpenSet:
    """Derive mated and non-mated searches from one ranking.

    Args:
        result: Rankings deep enough to include a hit of another class than the query's.
        query_labels: Classes indexed by query id.
        gallery_labels: Classes indexed by gallery id: exactly the searched rows.
        self_in_gallery: Equal ids are the same photo, which is not a hit and does not make a search
            mated.

    Raises:
        ValueError: If a ranking is cut off before its first hit of another class, or a label is
            missing.
    """
    known = result.relevant(query_labels, gallery_labels, self_in_gallery) > 0
    right, non_mated = np.zeros(len(known), bool), np.full(len(known), -np.inf, np.float32)
    for rows in row_blocks(*result.hits.shape):
        relevant = result.relevance(query_labels, gallery_labels, rows)
        wrong = ~relevant & (result.hits[rows] >= 0)
        cut = relevant.all(axis=1) & (result.depth < len(gallery_labels))
        if cut.any():
            query = result.query_ids[rows][np.argmax(cut)]
            raise ValueError(
                f"all {result.depth} hits of query id {query} are of its class: search deeper "
                "than the size of the largest class"
            )
        first = wrong.argmax(axis=1)
        found = np.take_along_axis(result.scores[rows], first[:, None], axis=1)[:, 0]
        non_mated[rows] = np.where(wrong.any(axis=1), found, -np.inf)
        right[rows] = relevant[:, 0]
    return OpenSet(result.scores[known, 0], right[known], non_mated, ~known)


def no_match_threshold(non_mated: ArrayLike, false_match_rate: float) -> float:
    """Return the smallest float32 threshold with at most a given FPIR.

    Example: scores .9 .8 .8 .6 and a rate of 1/4 allow one hit: the threshold is just above .8.

    Args:
        non_mated: float32 [q], similarities of the first hits of non-mated searches.
        false_match_rate: Largest FPIR, in [0, 1).

    Raises:
        ValueError: If there are no searches, or the rate is outside [0, 1).
    """
    scores = -np.sort(-np.asarray(non_mated, np.float32))
    if not 0 <= false_match_rate < 1:
        raise ValueError(f"false_match_rate must be in [0, 1), not {false_match_rate}")
    if not len(scores):
        raise ValueError("a threshold requires at least one search")
    shares = np.arange(1, len(scores) + 1) / len(scores)
    allowed = int(np.searchsorted(shares, false_match_rate, side="right"))
    return float(np.nextafter(scores[allowed], np.float32(np.inf)))


def open_set_rates(searches: OpenSet, threshold: float) -> dict[str, float]:
    """Compute open-set metrics at a threshold.

    Returns:
        Numbers of `queries`, `mated` and `unknown` ones; `FPIR` over all queries, each searched
        without its class, and `FPIR_unknown` over the unknown ones; `accepted`, the share of mated
        searches that return a hit, and `TPIR`, a correct one; and `R@1`, the TPIR without a
        threshold. NaN without searches.
    """
    accepted = searches.mated >= threshold
    answered = searches.non_mated >= threshold
    return {
        "queries": len(searches.non_mated),
        "mated": len(searches.mated),
        "unknown": int(searches.unknown.sum()),
        "FPIR": _share(answered),
        "FPIR_unknown": _share(answered[searches.unknown]),
        "accepted": _share(accepted),
        "TPIR": _share(accepted & searches.right),
        "R@1": _share(searches.right),
    }


def open_set_curve(searches: OpenSet) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return FPIR and TPIR at every threshold, both ascending from (0, 0)."""
    scores = np.unique(np.concatenate([searches.mated, searches.non_mated]))
    thresholds = scores[np.isfinite(scores)][::-1]
    rates = [
        np.searchsorted(np.sort(-answers), -thresholds, side="right") / max(1, total)
        for answers, total in (
            (searches.non_mated, len(searches.non_mated)),
            (searches.mated[searches.right], len(searches.mated)),
        )
    ]
    return np.concatenate([[0.0], rates[0]]), np.concatenate([[0.0], rates[1]])


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else float("nan")
