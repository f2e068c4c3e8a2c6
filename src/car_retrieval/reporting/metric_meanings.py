"""One line on each metric, for tables that people read without the manual."""

import re

import pandas as pd

MEANINGS = {
    r"queries": "scored: their class is in the gallery",
    r"classes": "of the scored queries",
    r"trained_classes": "of these classes, those that training saw",
    r"gallery": "photos that are searched",
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


def by_metric(summary: pd.DataFrame) -> pd.DataFrame:
    """Transpose results: a row per metric or count, a column per measurement."""
    numbers = summary.select_dtypes("number")
    texts = summary.drop(columns=numbers.columns).astype(str)
    turned = numbers.astype(object).T
    turned.columns = [" ".join(row) for row in texts.to_numpy()]
    return turned
