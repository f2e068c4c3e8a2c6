"""Charts of where a descriptor goes wrong."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from car_retrieval.metrics.open_set import OpenSet, open_set_curve
from car_retrieval.reporting.style import BLUE, DPI, MUTED, ORANGE, dress, new_figure, printable

COLOURS = {"valid": BLUE, "test": ORANGE}
SHOWN_VALUES = 12
_ROW, _PANEL = 0.21, 0.62  # inches


def attribute_scores(table: pd.DataFrame) -> Figure:
    """mAP@k of the queries of each make, model, year, …, a panel an attribute.

    Args:
        table: Outputs of `metrics.attributes.by_attribute`, told apart by their `split`. Of an
            attribute with many values those with most queries are shown.
    """
    score = next(name for name in table.columns if name.startswith("mAP@"))
    attributes = table["attribute"].unique()
    panels = [_largest(table[table["attribute"] == name]) for name in attributes]
    heights = [_PANEL + _ROW * part["value"].nunique() for part in panels] or [1.5]
    figure = Figure((5.4, sum(heights)), DPI, facecolor="white", layout="constrained")
    rows = figure.subplots(len(heights), height_ratios=heights, sharex=True, squeeze=False)[:, 0]
    for axes, name, part in zip(rows, attributes, panels, strict=False):
        values = sorted(part["value"].unique(), reverse=True)
        for split, colour in COLOURS.items():
            own = part[part["split"] == split]
            area = 12 + 90 * own["queries"] / part["queries"].max()
            places = [values.index(value) for value in own["value"]]
            axes.scatter(own[score], places, s=area, color=colour, alpha=0.7, label=split)
        axes.set_yticks(range(len(values)), [printable(value, 26) for value in values])
        axes.set_ylim(-0.6, len(values) - 0.4)
        total = table.loc[table["attribute"] == name, "value"].nunique()
        cut = f", {len(values)} of {total} with most queries" if total > len(values) else ""
        dress(axes, f"{score} by {name}{cut}", "", "")
        if name != attributes[0] and (legend := axes.get_legend()):
            legend.remove()
    rows[0].set_xlim(-0.03, 1.03)
    if not panels:
        dress(rows[0], score, "", "", empty=True)
    rows[-1].set_xlabel(f"{score} (a dot's area: its queries)", color=MUTED, fontsize=9)
    return figure


def _largest(part: pd.DataFrame) -> pd.DataFrame:
    queries = part.groupby("value")["queries"].sum().sort_values(kind="stable", ascending=False)
    return part[part["value"].isin(queries.index[:SHOWN_VALUES])]


def open_set_figure(
    searches: Mapping[str, OpenSet], rates: Mapping[str, Mapping[str, float]]
) -> Figure:
    """TPIR against FPIR: right answers to known cars against answers to unknown ones.

    Args:
        searches: By split, valid or test.
        rates: What the chosen threshold does, by split; marked on the curves.
    """
    figure = new_figure()
    axes = figure.subplots()
    least = 1 / max(2, *(len(own.non_mated) for own in searches.values()))
    for split, own in searches.items():
        if not len(own.mated):
            continue
        false, true = open_set_curve(own)
        false = np.maximum(false, least)  # none is drawn at the edge, for it has no logarithm
        axes.step(false, true, where="post", color=COLOURS[split], label=split)
        if split in rates:
            point = max(rates[split]["FPIR"], least), rates[split]["TPIR"]
            axes.plot(*point, "o", color=COLOURS[split], markersize=7, mec="white", clip_on=False)
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")
    axes.set(xlim=(least, 1), ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    x_label, y_label = "FPIR, unknown cars answered (log)", "TPIR, known cars answered rightly"
    title = "Match or no match, threshold marked"
    dress(axes, title, x_label, y_label, empty=not axes.lines)
    return figure
