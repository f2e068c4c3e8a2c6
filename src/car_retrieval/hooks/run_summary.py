"""Print the summary of a run at the terminal."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from car_retrieval.data.photo_table import counted
from car_retrieval.params import EvaluationParams
from car_retrieval.reporting.metric_meanings import remarks

SHOWN = (
    *("sample", "model", "report", "ablation_curves", "ablation_scores"),
    *("onnx_model", "gallery_embeddings", "query_embeddings", "model_card"),
)
TRAINED = (
    "warning: {} of the {} classes of the queries trained the network: leave one out (evaluation."
    "search_in: queries) is meant for classes that training never saw"
)
WITHOUT_FILTERED = (
    "filtered scores are left out where no class that is queried has evaluation.min_class_size "
    "gallery photos: lower it"
)


def print_run(
    pipeline: Pipeline, catalog: DataCatalog, seconds: dict[str, float], peak: dict[str, int]
) -> None:
    """Print scores, seconds and peak memory by stage, and where the pictures are.

    Args:
        pipeline: what was run.
        catalog: data catalog of the run.
        seconds: by stage.
        peak: resident memory in bytes, by stage.
    """
    console = Console(width=None if Console().is_terminal else 120)
    outputs = pipeline.all_outputs()
    if "summary" in outputs:
        summary = catalog.load("summary")
        console.print(_scores(summary))
        for remark in _remarks(summary, catalog.load("params:evaluation")):
            console.print(remark, soft_wrap=True, highlight=False)
    described = (
        catalog.load("gallery_descriptors").attributes
        if "gallery_descriptors" in pipeline.datasets()
        else {}
    )
    if note := described.get("untrained"):
        console.print(note, soft_wrap=True, highlight=False)
    if "training_history" in outputs:
        from car_retrieval.training.early_stopping import at_chance

        if warning := at_chance(catalog.load("training_history")):
            console.print(warning, soft_wrap=True, highlight=False, style="bold red")
    if "searchers" in outputs:
        console.print(_searchers(catalog.load("searchers")))
    if "ablation_table" in outputs:
        console.print(_recipes(catalog.load("ablation_table")))
    if "data_report" in outputs:
        for name, about in catalog.load("data_report").items():
            console.print(_counts(name, about), soft_wrap=True, highlight=False)
        where = _shown(catalog, "rejected_images")
        console.print(f"problems: {where}", soft_wrap=True, highlight=False)
    if seconds:
        console.print(_stages(seconds, peak))
    for name in SHOWN:
        if name in outputs:
            what = name.replace("_", " ")
            console.print(f"{what}: {_shown(catalog, name)}", soft_wrap=True, highlight=False)
    if "report" in outputs:
        figures = _shown(catalog, "report").parents[2]
        console.print(f"figures: {figures}/*_figures/", soft_wrap=True, highlight=False)


def _remarks(summary: pd.DataFrame, params: EvaluationParams) -> Iterator[str]:
    """Remarks that readers of the scores need."""
    yield from remarks(summary)
    test = summary[(summary["split"] == "test") & (summary["protocol"] == "all")]
    for row in test.to_dict("records"):
        if params.search_in == "queries" and row["trained_classes"]:
            yield TRAINED.format(row["trained_classes"], row["classes"])
    counts = summary.loc[summary["queries"] > 0, "protocol"].value_counts()
    if params.min_class_size and counts.get("filtered", 0) < counts.get("all", 0):
        yield WITHOUT_FILTERED


def _scores(summary: pd.DataFrame) -> Table:
    """Metrics as rows, so that the table fits any terminal."""
    table = Table(title="Retrieval", title_justify="left")
    table.add_column("")
    for row in summary.itertuples(index=False):
        table.add_column(f"{row.split}\n{row.protocol}", justify="right")
    for name in summary.columns.drop(["split", "protocol", "unscored"], errors="ignore"):
        table.add_row(str(name), *(_cell(value) for value in summary[name]))
    return table


def _searchers(table: pd.DataFrame) -> Table:
    """Table of searchers: scores, speed on one thread, size; the report has more."""
    shown = Table(title="Searchers, test queries", title_justify="left", box=SIMPLE_HEAD, padding=0)
    shown.add_column("searcher", no_wrap=True)
    found = [name for name in table.columns if name.startswith(("mAP@", "R@", "recall@"))]
    columns = [*found, "batch q/s 1 thread", "single q/s 1 thread", "fit s", "bytes/vector"]
    for name in columns:
        broken = name.replace(" q/s 1 thread", "\nq/s").replace("/v", "/\nv").replace("l@", "l\n@")
        shown.add_column(broken, justify="right")
    for row in table.to_dict("records"):
        cells = [_cell(row[name]) for name in columns]
        shown.add_row(str(row["searcher"]), *cells)
    return shown


def _recipes(table: pd.DataFrame) -> Table:
    """Table of recipes: scores with their standard deviation over runs, and cost."""
    shown = Table(title="Recipes", title_justify="left")
    shown.add_column("recipe")
    valid, *_ = scores = [name for name in table.columns if f"{name} sd" in table]
    scores = [valid, *(name for name in scores if name.startswith("test"))]
    rest = ["images", "CPU seconds", "images to baseline"]
    for name in ("runs", *scores, *rest):
        shown.add_column("\n".join(name.rsplit(" ", 1)), justify="right")
    for row in table.to_dict("records"):
        means = [
            _cell(row[name]) + f"±{row[f'{name} sd']:.3f}".replace("±0", "±").replace("±nan", "")
            for name in scores
        ]
        costs = (f"{row[name]:,.0f}" for name in rest[:2])
        shown.add_row(row["recipe"], str(row["runs"]), *means, *costs, _cell(row[rest[2]]))
    return shown


def _counts(name: str, about: dict[str, Any]) -> str:
    problems = "".join(f"; {count:,} {problem}" for problem, count in about["problems"].items())
    classes = f"of {counted(about['classes'], 'class', 'classes')}"
    photos = counted(about["photos"], "photo", "photos")
    return f"{name}: {photos} {classes if about['classes'] else 'without classes'}{problems}"


def _stages(seconds: dict[str, float], peak: dict[str, int]) -> Table:
    table = Table(title="Stages", title_justify="left")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("peak memory", justify="right")
    for stage, spent in seconds.items():
        table.add_row(stage, f"{spent:.1f}", f"{peak[stage] / 1e6:,.0f} MB")
    table.add_row("total", f"{sum(seconds.values()):.1f}", f"{max(peak.values()) / 1e6:,.0f} MB")
    return table


def _cell(value: object) -> str:
    if isinstance(value, float):
        if pd.isna(value):
            return "–"
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _shown(catalog: DataCatalog, name: str) -> Path:
    dataset = catalog[name]
    versioned = getattr(dataset, "_get_load_path", None)
    path = Path(versioned() if versioned else dataset.load())
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
