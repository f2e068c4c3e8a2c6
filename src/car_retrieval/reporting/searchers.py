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
    """Draw recall against speed: the best searchers are at the top and to the right.

    Args:
        table: A row per searcher: `searcher`, one column `recall@k` and `batch q/s 1 thread`. Rows
            without a number are left out. The dotted line joins the searchers of which no other
            finds as much faster.
    """
    score = next(name for name in table.columns if name.startswith("recall@"))
    drawn = table.dropna(subset=[score, SPEED])
    figure = new_figure()
    FigureCanvasAgg(figure)  # measures text
    axes = figure.subplots()
    _draw_front(axes, drawn[SPEED], drawn[score])
    for place, speed, recall in zip(drawn.index, drawn[SPEED], drawn[score], strict=True):
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
    title = "Recall against speed"
    dress(axes, title, "queries per second, one thread (log)", score, empty=drawn.empty)
    if len(drawn):
        _scale(axes, drawn[SPEED], drawn[score])
        figure.draw_without_rendering()
        _label(axes, list(zip(drawn[SPEED], drawn[score], drawn["searcher"], strict=True)))
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
