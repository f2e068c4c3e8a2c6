"""Charts of a training run and of a retrieval test."""

from collections.abc import Mapping
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike

from car_retrieval.metrics.verification import Verification
from car_retrieval.reporting.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    PALETTE,
    count_by_log,
    dress,
    new_figure,
)


def training_curves(history: pd.DataFrame, score: str = "mAP@20") -> Figure:
    """Loss, retrieval on the validation rows, verification and pace, by epoch.

    Args:
        history: A row per epoch: `epoch`, `loss`, `lr`, `seconds`, `images`, `AUC`, `EER` and any
            of `mAP@k`, `MAP@R`, `R@k`. A missing column leaves its curve out.
        score: The column whose highest value is marked in every panel.
    """
    history = history.replace([np.inf, -np.inf], np.nan)  # a diverged loss has no height
    history = history.assign(epoch=history["epoch"] + 1)  # as the log counts
    retrieval = [name for name in history.columns if name.startswith(("mAP@", "MAP@", "R@"))]
    if {"images", "seconds"} <= set(history):
        history = history.assign(speed=history["images"] / history["seconds"])
    ranked = history.dropna(subset=[score]) if score in history else history[:0]
    best = ranked.iloc[ranked[score].argmax()] if len(ranked) else None

    figure = new_figure(9, 5.8)
    panels = figure.subplots(2, 2).ravel()
    for axes, title, y_label, columns in zip(
        panels,
        ("Training loss", "Retrieval, validation", "Verification, validation", "Pace"),
        ("loss", "score", "score", "photos per second"),
        (["loss"], retrieval, ["AUC", "EER"], ["speed"]),
        strict=True,
    ):
        drawn = [name for name in columns if name in history and history[name].notna().any()]
        for colour, name in zip(cycle(PALETTE), drawn, strict=False):
            axes.plot(
                history["epoch"],
                history[name],
                color=colour,
                label=name if len(columns) > 1 else None,
                marker="o",
                markersize=4,
            )
        if best is not None:
            axes.axvline(best["epoch"], color=MUTED, linewidth=1, linestyle=":")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        heights = history[drawn].to_numpy(float)
        if drawn and np.nanmin(heights) >= 0:
            axes.set_ylim(0, 1.1 * np.nanmax(heights) or 1)
        dress(axes, title, "epoch", y_label, empty=not drawn)
    _draw_rate(panels[0], history)
    if len(history):
        for axes in panels:
            axes.set_xlim(history["epoch"].min() - 0.5, history["epoch"].max() + 0.5)
    if best is not None:
        figure.suptitle(
            f"Best {score}: {best[score]:.3f} at epoch {best['epoch']:g} (dotted)",
            x=0.01,
            ha="left",
            fontsize=9,
            color=MUTED,
        )
    return figure


def _draw_rate(axes: Axes, history: pd.DataFrame) -> None:
    if "lr" not in history or not history["lr"].gt(0).any():
        return
    rate = axes.twinx()
    rate.plot(
        history["epoch"], history["lr"], color=ORANGE, linestyle="--", linewidth=1.2, marker="."
    )
    rate.set_ylim(bottom=0)
    rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    rate.yaxis.offsetText.set(color=MUTED, fontsize=8)
    rate.set_ylabel("learning rate (dashed)", color=MUTED, fontsize=9)
    rate.tick_params(colors=MUTED, labelsize=8.5, length=0)
    rate.spines[:].set_visible(False)


def recall_curve(results: Mapping[str, pd.DataFrame]) -> Figure:
    """Recall@k against k: the share of queries with a match among their first k hits.

    Args:
        results: Per-query tables (`metrics.retrieval.per_query`) by name of the searcher, all
            searched to one depth. Queries without a match are left out. The curves end at the
            deepest first hit of all tables.
    """
    ranks = {
        name: table.loc[table["Relevant"] > 0, "First hit"].to_numpy(float, na_value=np.inf)
        for name, table in results.items()
    }
    ranks = {name: first for name, first in ranks.items() if len(first)}
    found = np.concatenate([first[np.isfinite(first)] for first in ranks.values()] or [[]])
    k = np.arange(1, max(found, default=1) + 1)
    figure = new_figure()
    axes = figure.subplots()
    for colour, (name, first) in zip(cycle(PALETTE), ranks.items(), strict=False):
        recall = np.searchsorted(np.sort(first), k, side="right") / len(first)
        axes.plot(k, recall, color=colour, label=name if len(ranks) > 1 else None)
        axes.plot(1, recall[0], "o", color=colour, markersize=5)
    count_by_log(axes)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    dress(axes, "Recall@k", "k, hits looked at (log)", "queries with a hit", empty=not ranks)
    return figure


def roc_figure(curves: Mapping[str, Verification]) -> Figure:
    """ROC curves with the equal error rate marked on each.

    Args:
        curves: Verification results by name.
    """
    figure = new_figure()
    axes = figure.subplots()
    axes.plot([0, 1], [1, 0], color=MUTED, linewidth=1, linestyle=":")
    for colour, (name, measured) in zip(cycle(PALETTE), curves.items(), strict=False):
        subject = f"{name}: " if len(curves) > 1 else ""
        label = f"{subject}AUC {measured.auc:.3f}, EER {measured.eer:.1%}"
        axes.plot(measured.false_accepts, measured.true_accepts, color=colour, label=label)
        axes.plot(measured.eer, 1 - measured.eer, "o", color=colour, markersize=7, mec="white")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    x_label, y_label = "false accepts, of negative pairs", "true accepts, of positive pairs"
    dress(axes, "ROC, equal error rate marked", x_label, y_label, empty=not curves)
    return figure


def similarity_histogram(positive: ArrayLike, negative: ArrayLike, threshold: float) -> Figure:
    """Similarities of pairs of one class against pairs of two.

    Args:
        positive: float [p], similarities of positive pairs.
        negative: float [n], similarities of negative pairs.
        threshold: Similarity of the equal error rate.
    """
    groups = {"same class": np.asarray(positive), "different class": np.asarray(negative)}
    groups = {name: scores for name, scores in groups.items() if scores.size}
    figure = new_figure()
    axes = figure.subplots()
    if groups:
        edges = np.histogram_bin_edges(np.concatenate(list(groups.values())), "rice").tolist()
        for colour, (name, scores) in zip((BLUE, ORANGE), groups.items(), strict=False):
            share = np.full(scores.size, 1 / scores.size)
            axes.hist(scores, edges, weights=share, color=colour, alpha=0.55, label=name)
            axes.hist(scores, edges, weights=share, color=colour, histtype="step")
        label = f"EER threshold {threshold:.3f}"
        axes.axvline(threshold, color=INK, linewidth=1.2, linestyle="--", label=label)
        axes.margins(y=0.2)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    dress(axes, "Similarity of pairs", "cosine similarity", "share of pairs", empty=not groups)
    return figure


def ap_by_class_size(classes: pd.DataFrame) -> Figure:
    """Mean AP of each class against the number of its gallery images.

    Args:
        classes: Output of `metrics.retrieval.per_class`.
    """
    score = next(name for name in classes.columns if name.startswith("mAP@"))
    figure = new_figure()
    axes = figure.subplots()
    if len(classes):
        area = 12 + 120 * classes["Queries"] / classes["Queries"].max()
        sizes, scores = classes["Relevant"], classes[score]
        axes.scatter(sizes, scores, s=area, color=BLUE, alpha=0.45, linewidths=0)
        axes.axhline(scores.mean(), color=ORANGE, linewidth=1.4, label="mean over classes")
        count_by_log(axes)
        axes.set_ylim(-0.03, 1.03)
    title = f"{score} by class (a dot's area: its queries)"
    dress(axes, title, "gallery photos of the class (log)", score, empty=not len(classes))
    return figure
