"""One line on each metric, for tables that people read without the manual."""

import re
from collections.abc import Iterator

import pandas as pd

from car_retrieval.data.photo_table import counted

MEANINGS = {
    r"queries": "scored: their class is in the gallery",
    r"classes": "of the scored queries",
    r"trained_classes": "of these classes, those that training saw",
    r"gallery": "photos that are searched",
    r"trained_queries": "queries that the network was trained on: their scores flatter",
    r"new_photos": "photos of the gallery that are new since the training",
    r"mAP@(\d+)": r"how high right photos rank among the first \1, mean over queries",
    r"R@(\d+)": r"share of queries with a right photo among the first \1",
    r"MAP@R": "as mAP, of the first R hits: as many as the class has photos",
    r"RP": "share of right photos among the first R",
    r"mAP": "how high right photos rank in the whole gallery",
    r"macro_mAP@(\d+)": r"mAP@\1 with each class counted once",
    r"legacy_mAP@(\d+)": "the reference system's, too high: it forgives missing photos",
    r"AUC": "chance that a pair of one class is more similar than a pair of two",
    r"EER": "error rate at the threshold where both kinds of error are equal; lower is better",
}


def meaning(metric: str) -> str:
    """Explain a metric or count of the results in a line; empty for an unknown one."""
    for pattern, text in MEANINGS.items():
        if found := re.fullmatch(pattern, metric):
            return found.expand(text)
    return ""


def remarks(summary: pd.DataFrame) -> Iterator[str]:
    """Yield what readers of the scores must know, a sentence each without its full stop.

    Args:
        summary: `summary`; its columns `unscored`, `trained_queries` and `new_photos` are optional.
    """
    for row in summary[summary["protocol"] == "all"].to_dict("records"):
        split, why = row["split"], row.get("unscored")
        if isinstance(why, str) and why:
            yield f"{split} is not scored: {why}"
        if trained := row.get("trained_queries"):
            yield (
                f"warning: the network was trained on {counted(trained, 'query', 'queries')} of "
                f"{split}, whose scores flatter"
            )
        if new := row.get("new_photos"):
            are = counted(new, "photo that is searched is", "photos that are searched are")
            yield f"{split}: {are} new since the training (training_roles.csv names them)"


def by_metric(summary: pd.DataFrame) -> pd.DataFrame:
    """Transpose results: a row per metric or count, a column per measurement."""
    numbers = summary.select_dtypes("number")
    texts = summary.drop(columns=numbers.columns).astype(str)
    turned = numbers.astype(object).T
    turned.columns = [" ".join(row) for row in texts.to_numpy()]
    return turned
