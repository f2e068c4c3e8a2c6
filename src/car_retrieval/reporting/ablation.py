"""Recipes of training against each other: a table, learning curves, scores with their spread."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from car_retrieval.reporting.style import BLUE, GREEN, INK, ORANGE, PALETTE, dress, new_figure

SPLITS = ("valid", "test")
COSTS = {"images": "images", "seconds": "seconds", "cpu_seconds": "CPU seconds"}
SHOWN = 5  # recipes of which the learning curves are drawn, beside the baseline
Run = Mapping[str, Any]
"""The result of one training, see `car_retrieval.training.ablation.train`."""


def scores_shown(k: int) -> tuple[str, str, str]:
    """The metrics that recipes are compared by, the first of which orders them."""
    return f"mAP@{k}", "R@1", "MAP@R"


def recipe_table(runs: Sequence[Run], baseline: str, k: int) -> pd.DataFrame:
    """Results and cost of each recipe.

    Args:
        runs: results, some of them of one recipe with several seeds.
        baseline: the recipe whose quality the others are to reach.
        k: of mAP@k.

    Returns:
        A row a recipe, in falling order of validation mAP@k: `recipe`; `runs`; of each split and
        metric the mean and `sd`, the standard deviation over runs (n - 1), NaN of one run; the
        mean costs of a run, `images`, `seconds` and `CPU seconds` of training;
        `valid mAP@k, equal time`, its best so far when the quickest of all recipes has ended, in
        CPU seconds, with straight lines between epochs; and `images to baseline`, after which its
        mean validation mAP@k is the highest of the baseline's, as a share of the baseline's
        images, NaN if never. A recipe of which a run diverged has no scores.
    """
    score, *_ = scores_shown(k)
    names = list(dict.fromkeys(run["recipe"] for run in runs))
    curves = {name: learning_curve(runs, name, score) for name in names}
    goal = curves[baseline][score].max() if baseline in curves else np.nan
    whole = curves[baseline]["images"].max() if baseline in curves else np.nan
    ends = [curve.dropna()["cpu_seconds"].max() for curve in curves.values()]
    quickest = pd.Series(ends, dtype=float).min()
    rows = []
    for name in names:
        own = [run for run in runs if run["recipe"] == name]
        row: dict[str, Any] = {"recipe": name, "runs": len(own)}
        for split in SPLITS:
            for metric in scores_shown(k):
                values = np.array([run[split].get(metric, np.nan) for run in own], float)
                row[f"{split} {metric}"] = values.mean()
                row[f"{split} {metric} sd"] = values.std(ddof=1) if len(own) > 1 else np.nan
        row |= {label: np.mean([run[cost] for run in own]) for cost, label in COSTS.items()}
        curve = curves[name]
        best = curve[score].cummax()
        so_far = np.interp(quickest, [0, *curve["cpu_seconds"]], [np.nan, *best])
        row[f"valid {score}, equal time"] = so_far
        row["images to baseline"] = curve.loc[curve[score] >= goal, "images"].min() / whole
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.sort_values(f"valid {score}", ascending=False, kind="stable", ignore_index=True)


def learning_curve(runs: Sequence[Run], recipe: str, score: str) -> pd.DataFrame:
    """Means of a recipe's runs over the epochs that all of them have.

    Returns:
        A row an epoch: `images`, `seconds` and `cpu_seconds` so far, the `score`, and `low` and
        `high`, one standard deviation below and above it; of a recipe of which a run diverged
        these are NaN.
    """
    own = [run for run in runs if run["recipe"] == recipe]
    columns = ["epoch", *COSTS, score]
    histories = [
        pd.DataFrame(run["history"], columns=columns, dtype=float).set_index("epoch") for run in own
    ]
    together = pd.concat([each.assign(**each[list(COSTS)].cumsum()) for each in histories])
    epochs = together.groupby(level=0)
    curve = epochs.mean()[epochs.size() == len(histories)]
    if not all(run["valid"] for run in own):
        curve[score] = np.nan
    spread = epochs[score].std().fillna(0)
    return curve.assign(low=curve[score] - spread, high=curve[score] + spread).reset_index()


def learning_curves(runs: Sequence[Run], table: pd.DataFrame, baseline: str, k: int) -> Figure:
    """Validation mAP@k against images seen and against seconds, of the best and the baseline.

    Args:
        runs: results.
        table: of `recipe_table`.
        baseline: drawn in black; a dotted line shows its best.
        k: of mAP@k.
    """
    score, *_ = scores_shown(k)
    figure = new_figure(10.4, 4.5)
    panels = figure.subplots(1, 2, sharey=True)
    names = [name for name in table["recipe"] if name != baseline][:SHOWN]
    colours = dict(zip(names, cycle(PALETTE), strict=False))
    if baseline in set(table["recipe"]):
        colours[baseline] = INK
    for axes, (cost, label) in zip(
        panels, (("images", "images seen"), ("cpu_seconds", "CPU seconds")), strict=True
    ):
        for name, colour in colours.items():
            curve = learning_curve(runs, name, score)
            style = "--" if name == baseline else "-"
            shown = f"{name} (baseline)" if name == baseline else name
            axes.plot(curve[cost], curve[score], style, color=colour, label=shown, marker=".")
            axes.fill_between(
                curve[cost], curve["low"], curve["high"], color=colour, alpha=0.15, linewidth=0
            )
            if name == baseline:
                axes.axhline(curve[score].max(), color=INK, linewidth=0.8, linestyle=":")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        dress(axes, f"Validation {score}", label, score)
    _one_legend(figure)
    return figure


def score_dots(runs: Sequence[Run], table: pd.DataFrame, k: int) -> Figure:
    """Each recipe's scores: the mean with its standard deviation, and a tick for each run.

    Args:
        runs: results.
        table: of `recipe_table`; the best recipe is at the top.
        k: of mAP@k.
    """
    figure = new_figure(10.4, 1.4 + 0.36 * len(table))
    panels = figure.subplots(1, 2, sharey=True)
    names = list(table["recipe"])
    for axes, split in zip(panels, SPLITS, strict=True):
        for metric, colour in zip(scores_shown(k), (BLUE, ORANGE, GREEN), strict=True):
            _draw_dots(axes, runs, table, f"{split} {metric}", colour)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        dress(axes, split.capitalize(), "score", "")
    _one_legend(figure)
    return figure


def _one_legend(figure: Figure) -> None:
    """One for all panels, where it covers nothing."""
    for axes in figure.axes:
        if legend := axes.get_legend():
            legend.remove()
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
    )


def _draw_dots(
    axes: Axes, runs: Sequence[Run], table: pd.DataFrame, column: str, colour: str
) -> None:
    split, metric = column.split(" ", 1)
    rows = {name: row for row, name in enumerate(table["recipe"])}
    scored = [run for run in runs if metric in run[split]]
    axes.plot(
        [run[split][metric] for run in scored],
        [rows[run["recipe"]] for run in scored],
        "|",
        color=colour,
        markersize=7,
    )
    axes.errorbar(
        table[column],
        range(len(table)),
        xerr=table[f"{column} sd"].fillna(0),
        fmt="o",
        color=colour,
        markersize=6,
        mec="white",
        elinewidth=1.4,
        label=metric,
    )
