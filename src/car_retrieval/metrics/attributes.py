"""Accuracy by attribute of the queries: make, year, viewpoint."""

import pandas as pd


def by_attribute(table: pd.DataFrame, attributes: pd.DataFrame, k: int) -> pd.DataFrame:
    """Average the scores of the queries by attribute value.

    Example: queries 0, 1 and 2 with AP@20 of 1, .5 and 0 and the years 2009, 2009 and unknown
    give one row: Year, 2009, 2 queries, mAP@20 .75.

    Args:
        table: Output of `metrics.retrieval.per_query`. Queries without a match are left out.
        attributes: One column per attribute, indexed by query id; queries with a missing value are
            left out of that attribute.
        k: Cut-off of AP in `table`.

    Returns:
        One row per attribute and value, by order of the columns, then of the values as text:
        `attribute`, `value`, `queries`, `mAP@k` and `R@1`.

    Raises:
        KeyError: If a scored query has no row in `attributes`.
    """
    scored = table[table["Relevant"] > 0].set_index("Query")
    known = attributes.loc[scored.index].astype(object)
    known = known.melt(var_name="attribute", ignore_index=False).dropna()
    known["attribute"] = pd.Categorical(known["attribute"], attributes.columns)
    known["value"] = known["value"].astype(str)
    known[f"mAP@{k}"] = scored[f"AP@{k}"]
    known["R@1"] = scored["First hit"].eq(1).fillna(False).astype(float)
    groups = known.groupby(["attribute", "value"], observed=True)
    rows = groups.mean()
    rows.insert(0, "queries", groups.size())
    return rows.reset_index().astype({"attribute": str})
