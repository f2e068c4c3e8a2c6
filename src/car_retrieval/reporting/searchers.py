"""Recall against speed: what a searcher gives for its pace."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.ticker import LogLocator, NullLocator, PercentFormatter, StrMethodFormatter
from matplotlib.transforms import Bbox

from car_retrieval.reporting.style import INK, MUTED, PALETTE, dress, new_figure, printable

SPEED = "batch q/s 1 thread"
MARKERS = "osD^vP"
# Where a label may stand, in points from its dot: near places first.
OFFSETS = [
    (across * 9, up)
    for up in (0, -12, 12, -24, 24, -36, 36, -48, 48, -60, 60, -72, 72)
    for across in (1, -1)
]


def recall_against_speed(table: pd.DataFrame) -> Figure:
    """One panel a split: the best searchers are at the top and to the right.

    Args:
        table: A row a split and searcher: `split`, `searcher`, one column `recall@k` and
            `batch q/s 1 thread`. Rows without a number are left out. The dotted line joins the
            searchers of which no other finds as much faster.
    """
    score = next(name for name in table.columns if name.startswith("recall@"))
    drawn = table.dropna(subset=[score, SPEED])
    names = list(dict.fromkeys(table["searcher"]))
    splits = list(dict.fromkeys(table["split"])) or [""]
    figure = new_figure(9.8, 3.9)
    FigureCanvasAgg(figure)  # measures text
    panels = figure.subplots(1, len(splits), sharex=True, sharey=True, squeeze=False)[0]
    for axes, split in zip(panels, splits, strict=True):
        own = drawn[drawn["split"] == split]
        _draw_front(axes, own[SPEED], own[score])
        for name, speed, recall in zip(own["searcher"], own[SPEED], own[score], strict=True):
            place = names.index(name)
            axes.plot(
                speed,
                recall,
                MARKERS[place % len(MARKERS)],
                color=PALETTE[place % len(PALETTE)],
                markersize=7,
                mec="white",
                clip_on=False,
                zorder=3,
            )
        title = f"{split.capitalize()}: recall against speed"
        dress(axes, title, "queries per second, one thread (log)", score, empty=own.empty)
    if len(drawn):
        _scale(panels[0], drawn[SPEED], drawn[score])
        figure.draw_without_rendering()
        for axes, split in zip(panels, splits, strict=True):
            own = drawn[drawn["split"] == split]
            _label(axes, list(zip(own[SPEED], own[score], own["searcher"], strict=True)))
    return figure


def _draw_front(axes: Axes, speeds: pd.Series, recalls: pd.Series) -> None:
    points = sorted(zip(speeds, recalls, strict=True), reverse=True)
    front: list[tuple[float, float]] = []
    for speed, recall in points:
        if not front or recall > front[-1][1]:
            front.append((speed, recall))
    if len(front) > 1:
        axes.plot(*zip(*front, strict=True), color=MUTED, linewidth=1, linestyle=":")


def _scale(axes: Axes, speeds: pd.Series, recalls: pd.Series) -> None:
    axes.set_xscale("log")
    decades = speeds.max() / speeds.min() > 10
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if decades else (1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.set_xlim(speeds.min() / 3, speeds.max() * 3)
    span = max(0.02, recalls.max() - recalls.min())
    axes.set_ylim(recalls.min() - 0.35 * span, recalls.max() + 0.25 * span)
    axes.set_yticks([tick for tick in axes.get_yticks() if axes.get_ylim()[0] <= tick <= 1])
    axes.yaxis.set_major_formatter(PercentFormatter(1))


def _label(axes: Axes, points: list[tuple[float, float, str]]) -> None:
    """Name points where the name covers no other point and no other name."""
    dots = [axes.transData.transform(point[:2]) for point in points]
    taken = [Bbox.from_bounds(x - 7, y - 7, 14, 14) for x, y in dots]
    frame = axes.get_window_extent()
    for speed, recall, name in points:
        candidates = (_written(axes, (speed, recall), name, offset) for offset in OFFSETS)
        for text in candidates:
            box = _box(text)
            inside = frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1)
            if inside and not any(box.overlaps(other) for other in taken):
                break
            text.remove()
        else:
            text = _written(axes, (speed, recall), name, OFFSETS[0])
            box = _box(text)
        taken.append(box)


def _box(text: Annotation) -> Bbox:
    """Extent of the letters, without the line to the dot."""
    text.get_window_extent()  # places the letters
    return Text.get_window_extent(text)


def _written(
    axes: Axes, point: tuple[float, float], name: str, offset: tuple[float, float]
) -> Annotation:
    far = abs(offset[1]) > 12
    return axes.annotate(
        printable(name, 24),
        point,
        offset,
        textcoords="offset points",
        ha="left" if offset[0] > 0 else "right",
        va="center",
        fontsize=8.5,
        color=INK,
        arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.6} if far else None,
        in_layout=False,
    )
