"""When to answer "no match": open-set identification, where a query's class may be unknown.

Terms of ISO/IEC 19795-1:2021. A search is *mated* if the gallery has a photo of its class other
than the query itself. It answers with
its first hit if that is at least as similar as a threshold, and with "no match" otherwise. FPIR,
the false positive identification rate, is the share of non-mated searches that answer with a hit;
TPIR, the true positive identification rate, that of mated searches that answer with a right one.
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
        mated: float32 [m], similarity of the first hit of each query with a photo of its class
            in the gallery; -inf where nothing was found.
        right: bool [m], whether that hit is of the query's class.
        non_mated: float32 [q], the same of every query once its class is taken out of the
            gallery: the similarity of its first hit of another class.
        unknown: bool [q], which of these queries have no such photo to begin with.
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
    """Read mated and non-mated searches off one ranking.

    Args:
        result: Rankings, each deep enough to hold a hit of another class than its query's.
        query_labels: Classes indexed by query id.
        gallery_labels: Classes indexed by gallery id: exactly the rows that were searched.
        self_in_gallery: Queries and gallery share one numbering, so an equal id is the same photo,
            which is no hit and makes no search a mated one.

    Raises:
        ValueError: If a ranking ends before its first hit of another class, though the gallery
            goes on; or a label is missing.
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
                f"all {result.depth} hits of query id {query} are of its class: search one deeper "
                "than the largest class"
            )
        first = wrong.argmax(axis=1)
        found = np.take_along_axis(result.scores[rows], first[:, None], axis=1)[:, 0]
        non_mated[rows] = np.where(wrong.any(axis=1), found, -np.inf)
        right[rows] = relevant[:, 0]
    return OpenSet(result.scores[known, 0], right[known], non_mated, ~known)


def no_match_threshold(non_mated: ArrayLike, false_match_rate: float) -> float:
    """The smallest float32 threshold at which at most this share of non-mated searches answers.

    Example: scores .9 .8 .8 .6 and a rate of 1/4 allow one answer: the threshold is just above .8.

    Args:
        non_mated: float32 [q], similarities of the first hits of non-mated searches.
        false_match_rate: In [0, 1), the FPIR that is allowed.

    Raises:
        ValueError: If there is no search, or the rate is outside of [0, 1).
    """
    scores = -np.sort(-np.asarray(non_mated, np.float32))
    if not 0 <= false_match_rate < 1:
        raise ValueError(f"false_match_rate must be in [0, 1), not {false_match_rate}")
    if not len(scores):
        raise ValueError("a threshold needs at least one search")
    shares = np.arange(1, len(scores) + 1) / len(scores)
    allowed = int(np.searchsorted(shares, false_match_rate, side="right"))
    return float(np.nextafter(scores[allowed], np.float32(np.inf)))


def open_set_rates(searches: OpenSet, threshold: float) -> dict[str, float]:
    """Open-set metrics at a threshold.

    Returns:
        Counts: `queries`, `mated` and `unknown` ones. `FPIR` over all queries, each with its class
        taken out, and `FPIR_unknown` over those that have no right hit to find; `accepted`,
        the share of mated searches that answer, and `TPIR`, the share that answers rightly; and
        `R@1`, what the TPIR would be without a threshold. NaN where nothing was searched.
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
    """FPIR and TPIR at every threshold, both rising; from (0, 0), where nothing is answered."""
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
