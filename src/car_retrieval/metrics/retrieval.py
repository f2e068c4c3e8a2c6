"""Retrieval metrics per query, per class and over all queries.

Average precision at a depth d is a finite sum: S(d) = sum of P(i) rel(i) for i = 1..d, where P(i)
is the precision of the first i hits and rel(i) = 1 if hit i is of the query's class. The metrics
differ only in d and in the divisor of S(d). R is the number of gallery images of the query's class,
without the query itself.

Example: R = 4 and the ranking correct, wrong, correct, wrong, ... give S(2) = 1 and S(3) = 1 + 2/3,
so AP@2 = 1 / 2, AP@3 = (5/3) / 3, MAP@R = (5/3) / 4; the legacy AP@2 divides by the one hit: 1.
RP, the R-precision, is the share of correct hits among the first R: 2 / 4.
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from car_retrieval.search.result import RetrievalResult, row_blocks


def required_depth(query_labels: pd.Series, gallery_labels: pd.Series, k: int) -> int:
    """Return the minimum ranking depth of `per_query`: max(k, largest R), at most the gallery size.

    Args:
        query_labels: Classes indexed by query id.
        gallery_labels: Classes indexed by gallery id: the rows to search.
        k: Largest cut-off.
    """
    sizes = gallery_labels[gallery_labels.isin(query_labels)].value_counts()
    return min(max(k, int(sizes.max()) if len(sizes) else 0), len(gallery_labels))


def per_query(
    result: RetrievalResult,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    ks: Sequence[int] = (1, 5, 20),
    k: int = 20,
    *,
    self_in_gallery: bool = False,
) -> pd.DataFrame:
    """Score every query of a result.

    Queries are independent, so tables of several results may be concatenated: full rankings of many
    queries can be computed and scored block by block.

    Args:
        result: Rankings of at least `required_depth` hits. A -1 counts as a miss.
        query_labels: Classes indexed by query id.
        gallery_labels: Classes indexed by gallery id: exactly the searched rows.
        ks: Cut-offs of recall.
        k: Cut-off of AP.
        self_in_gallery: Equal ids are the same photo, which is not counted in R and must not be
            among its own hits.

    Returns:
        One row per query: `Query`, `Class`, `Relevant` (R), `AP@k` = S(k) / min(k, R), `R@j` for
        each j of `ks` (1 if a correct hit is among the first j), `MAP@R` = S(R) / R (Musgrave et
        al., "A Metric Learning Reality Check", 2020), `RP` = correct hits among the first R / R
        (R-precision), `AP` = S(all) / R if every ranking covers the gallery, `legacy AP@k` = S(k) /
        correct hits among the first k (the reference system's), and `First hit`, the rank of the
        first correct hit, <NA> for none. Metrics are NaN if R = 0.

    Raises:
        ValueError: If the rankings are too short for a metric, a label is missing, or a query is
            among its own hits.
    """
    if min(k, *ks) < 1:
        raise ValueError(f"k and ks must be at least 1, not k={k} and ks={tuple(ks)}")
    classes = result.query_classes(query_labels)
    relevant = result.relevant(query_labels, gallery_labels, self_in_gallery)
    reachable = np.full(len(classes), len(gallery_labels))
    if self_in_gallery:
        reachable = reachable - np.isin(result.query_ids, gallery_labels.index)
    _check_depth(result, max(k, *ks), relevant, reachable)

    tables, complete = [], True
    for rows in row_blocks(*result.hits.shape):
        hits = result.hits[rows]
        if self_in_gallery and (hits == result.query_ids[rows, None]).any():
            raise ValueError("a query is among its own hits; exclude it by id in the search")
        complete &= bool(((hits >= 0).sum(axis=1) == reachable[rows]).all())
        right = result.relevance(query_labels, gallery_labels, rows)
        tables.append(_score(right, relevant[rows], ks, k))
    scores = pd.concat(tables, ignore_index=True)
    table = pd.DataFrame({"Query": result.query_ids, "Class": classes, "Relevant": relevant})
    return table.join(scores if complete else scores.drop(columns="AP"))


def _check_depth(
    result: RetrievalResult, k: int, relevant: NDArray[np.int64], reachable: NDArray[np.int64]
) -> None:
    short = result.depth < np.minimum(np.maximum(k, relevant), reachable)
    if short.any():
        row = int(np.argmax(short))
        raise ValueError(
            f"rankings of {result.depth} hits are too short: query id {result.query_ids[row]} has "
            f"{relevant[row]} relevant images and the deepest cut-off is {k}; "
            f"search to depth max(k, R), see required_depth"
        )


def _score(
    right: NDArray[np.bool_], relevant: NDArray[np.int64], ks: Sequence[int], k: int
) -> pd.DataFrame:
    depth = right.shape[1]
    found = np.pad(np.cumsum(right, axis=1), ((0, 0), (1, 0)))  # correct hits among the first d
    precision = found[:, 1:] / np.arange(1, depth + 1)
    sums = np.pad(np.cumsum(precision * right, axis=1), ((0, 0), (1, 0)))  # sums[:, d] is S(d)
    sum_at_k = sums[:, min(k, depth)]
    at_r = np.minimum(relevant, depth)[:, None]
    sum_at_r, found_at_r = (np.take_along_axis(x, at_r, axis=1)[:, 0] for x in (sums, found))
    hits_at_k = found[:, min(k, depth)]
    # The extra True gives a row without correct hits the rank depth + 1.
    first = np.pad(right, ((0, 0), (0, 1)), constant_values=True).argmax(axis=1) + 1
    r = np.where(relevant > 0, relevant, np.nan)

    columns = {f"AP@{k}": sum_at_k / np.minimum(k, r)}
    columns |= {f"R@{j}": np.where(relevant > 0, first <= min(j, depth), np.nan) for j in ks}
    columns["MAP@R"] = sum_at_r / r
    columns["RP"] = found_at_r / r
    columns["AP"] = sums[:, -1] / r
    columns[f"legacy AP@{k}"] = np.where(relevant > 0, sum_at_k / np.maximum(hits_at_k, 1), np.nan)
    table = pd.DataFrame(columns)
    table["First hit"] = pd.Series(first, dtype="Int64").mask(first > depth)
    return table


def _means(table: pd.DataFrame) -> pd.DataFrame:
    """Return the metric columns of scored queries, renamed for their means: AP@20 -> mAP@20."""
    metrics = table.drop(columns=["Query", "Class", "Relevant", "First hit"])
    return metrics.rename(columns=lambda name: re.sub(r"\bAP", "mAP", name))


def per_class(table: pd.DataFrame) -> pd.DataFrame:
    """Average every metric over the queries of each class.

    Args:
        table: Output of `per_query`. Queries without a match are left out.

    Returns:
        One row per class, sorted: `Class`, `Queries`, `Relevant` (gallery images of the class) and
        the means, with `AP` renamed to `mAP`.
    """
    scored = table[table["Relevant"] > 0]
    groups = scored.groupby("Class", sort=True)
    counts = pd.DataFrame({"Queries": groups.size(), "Relevant": groups["Relevant"].max()})
    return counts.join(_means(scored).groupby(scored["Class"]).mean()).reset_index()


def summarise(table: pd.DataFrame, gallery_labels: pd.Series, k: int) -> dict[str, float]:
    """Average every metric over all scored queries, with counts.

    Args:
        table: Output of `per_query`.
        gallery_labels: Classes indexed by gallery id: the searched rows.
        k: Cut-off of AP in `table`.

    Returns:
        Counts: `queries` (scored), `queries_without_match` (left out), `classes` (of the scored
        queries), `gallery` (images) and `gallery_classes`. Means over queries: `mAP@k`, each
        `R@j`, `MAP@R`, `RP`, `mAP` of complete rankings, and `legacy_mAP@k`. `macro_mAP@k` is the
        mean of the class means. Means are NaN without scored queries.
    """
    scored = table[table["Relevant"] > 0]
    summary: dict[str, float] = {
        "queries": len(scored),
        "queries_without_match": len(table) - len(scored),
        "classes": scored["Class"].nunique(),
        "gallery": len(gallery_labels),
        "gallery_classes": gallery_labels.nunique(),
    }
    means = _means(scored).mean()
    means[f"macro_mAP@{k}"] = per_class(table)[f"mAP@{k}"].mean()
    means[f"legacy_mAP@{k}"] = means.pop(f"legacy mAP@{k}")
    return summary | {str(name): float(mean) for name, mean in means.items()}
