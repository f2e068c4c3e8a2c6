"""Charts of where a descriptor goes wrong."""

import pandas as pd
from matplotlib.figure import Figure

from car_retrieval.reporting.style import BLUE, DPI, MUTED, ORANGE, dress, printable

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
    colours = dict(zip(sorted(table["split"].unique()), (ORANGE, BLUE), strict=False))
    for axes, name, part in zip(rows, attributes, panels, strict=False):
        values = sorted(part["value"].unique(), reverse=True)
        for split, own in part.groupby("split"):
            area = 12 + 90 * own["queries"] / part["queries"].max()
            places = [values.index(value) for value in own["value"]]
            axes.scatter(own[score], places, s=area, color=colours[split], alpha=0.7, label=split)
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
