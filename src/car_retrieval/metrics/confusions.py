"""Confusions between classes: the class of each query's first hit."""

import pandas as pd

from car_retrieval.search.result import RetrievalResult


def confusions(
    result: RetrievalResult, query_labels: pd.Series, gallery_labels: pd.Series
) -> pd.DataFrame:
    """Count the queries of each class whose first hit is of another, by that other class.

    Example: of three queries of class 1 one finds class 1 first and two find class 2, at .7 and
    .9. That is one row: class 1, found class 2, confused 2 of 3, shown by the query with .9.

    Args:
        result: Rankings; only the first hits count.
        query_labels: Classes indexed by query id.
        gallery_labels: Classes indexed by gallery id: exactly the rows that were searched.

    Returns:
        A row per pair of classes, most confused queries first, then the largest share, then the
        smaller classes: `Class`, `Found class`, `Queries` of the class, `Confused` ones, their
        `Share`, and the most convincing one: `Query`, its first `Hit` and their `Similarity`.
        Queries without a match in the gallery, which cannot do better, are left out.

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
    scored = table["Class"].isin(gallery_labels)
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
