"""All scores in one table, all pictures on one page."""

from typing import Any

import pandas as pd

from car_retrieval.params import EvaluationParams
from car_retrieval.reporting.report import Section, html_report

CAPTIONS = {
    "recall": "R@k: share of queries with a right hit among the first k",
    "roc": "Verification: same model or not",
    "similarity": "Similarities of pairs of one class and of two",
    "sizes": "Mean AP of a class against its gallery photos",
    "best": "Best queries",
    "median": "Median queries",
    "worst": "Worst queries",
}
PROTOCOLS = {
    "test": "Query photos query the whole gallery.",
    "valid": "Validation photos query the training photos.",
}
SEARCHERS = (
    "Compressed indexes against exact search, of all classes: what they find, and what they cost. "
    "recall@k is the share of exact search's first k hits that a searcher finds, equally good ones "
    "included. Queries per second are the best of a few repeats on this machine, of one batch and "
    "of single queries; peak memory is above the level before the searcher was built."
)
SEARCHERS_CAPTION = "Recall against queries per second of a batch, one thread"


def summarise_metrics(**metrics: dict[str, Any]) -> pd.DataFrame:
    """One row for each split and protocol, from metrics named `<split>_<protocol>`."""
    shown = ["queries", "classes", "gallery"]
    rows = []
    for name, values in metrics.items():
        split, selection = name.split("_")
        scores = {
            key: value
            for key, value in values.items()
            if key not in (*shown, "queries_without_match", "gallery_classes", "threshold")
        }
        counts = {key: values[key] for key in shown}
        rows.append({"split": split, "protocol": selection} | counts | scores)
    return pd.DataFrame(rows)


def write_report(
    summary: pd.DataFrame,
    training_curves: bytes,
    searchers: pd.DataFrame,
    searchers_figure: bytes,
    params: EvaluationParams,
    **pictures: bytes,
) -> str:
    """One HTML page of the whole run."""
    selections = {
        "all": "All classes.",
        "filtered": f"Only the classes of at least {params.min_class_size} gallery photos.",
    }
    sections = [
        Section(
            "Training",
            "Loss over the epochs, and what the validation photos say.",
            [("Training curves", training_curves)],
        )
    ]
    sections.append(
        Section("Searchers", SEARCHERS, [(SEARCHERS_CAPTION, searchers_figure)], searchers)
    )
    for split, selection in zip(summary["split"], summary["protocol"], strict=True):
        own = {kind: pictures[f"{split}_{selection}_{kind}"] for kind in CAPTIONS}
        sections.append(
            Section(
                f"{split.capitalize()}, {selection}",
                f"{PROTOCOLS[split]} {selections[selection]}",
                [(CAPTIONS[kind], picture) for kind, picture in own.items()],
            )
        )
    return html_report("Car retrieval", summary, sections)
