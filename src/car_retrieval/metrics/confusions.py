"""Confusions between classes, by the class of each query's first hit."""

import pandas as pd

from car_retrieval.search.result import RetrievalResult


def confusions(
    result: RetrievalResult,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    *,
    self_in_gallery: bool = False,
) -> pd.DataFrame:
    """Count the queries whose first hit is of another class, by pair of classes.

    Example: of three queries of class 1, one finds class 1 first and two find class 2, at .7 and
    .9. This gives one row: class 1, found class 2, confused 2 of 3, with the query of .9.

    Args:
        result: Rankings; only the first hits are used.
        query_labels: Classes indexed by query id.
        gallery_labels: Classes indexed by gallery id: exactly the searched rows.
        self_in_gallery: Equal ids are the same photo, which is no match of itself.

    Returns:
        One row per pair of classes, by most confused queries, then largest share, then smaller
        classes: `Class`, `Found class`, `Queries` of the class, number `Confused`, their `Share`,
        and the confused query of highest similarity: `Query`, its first `Hit` and `Similarity`.
        Queries without a match in the gallery are left out.

    Raises:
        ValueError: If a query has no label, or a hit is not a row of the searched gallery.
    """
    first = RetrievalResult(result.query_ids, result.hits[:, :1], result.scores[:, :1])
    right = first.relevance(query_labels, gallery_labels)[:, 0]
    table = pd.DataFrame(
        {
            "Class": first.query_classes(query_labels),
            "Query": first.query_ids,
            "Hit": first.hits[:, 0],
            "Similarity": first.scores[:, 0],
        }
    )
    scored = first.relevant(query_labels, gallery_labels, self_in_gallery) > 0
    queries = table["Class"][scored].value_counts()
    wrong = table[scored & ~right & (table["Hit"] >= 0)]
    wrong = wrong.assign(**{"Found class": gallery_labels.loc[wrong["Hit"]].to_numpy()})
    wrong = wrong.sort_values(["Similarity", "Query"], ascending=[False, True])
    pairs = wrong.groupby(["Class", "Found class"], sort=False)
    rows = pairs.first().assign(Confused=pairs.size()).reset_index()
    rows["Queries"] = queries.loc[rows["Class"]].to_numpy()
    rows["Share"] = rows["Confused"] / rows["Queries"]
    order = ["Confused", "Share", "Class", "Found class"]
    rows = rows.sort_values(order, ascending=[False, False, True, True], ignore_index=True)
    columns = ["Queries", "Confused", "Share", "Query", "Hit", "Similarity"]
    return rows[["Class", "Found class", *columns]]
