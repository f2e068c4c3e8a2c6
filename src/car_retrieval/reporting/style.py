"""One look for all figures: colour-blind-safe colours, thin axes, no global matplotlib state."""

from functools import cache

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from PIL import ImageFont

INK, MUTED, GRID = "#1f2933", "#66727f", "#e4e8ec"
# After Okabe and Ito (2008) and Tol (2021): told apart under every common colour blindness.
BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#cc3311"
PALETTE = (BLUE, ORANGE, GREEN, "#cc79a7", "#56b4e9", RED)
DPI = 144


def new_figure(width: float = 5.4, height: float = 3.6) -> Figure:
    """An empty white figure, `width` x `height` inches, that lays itself out."""
    return Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")


def dress(axes: Axes, title: str, x_label: str, y_label: str, *, empty: bool = False) -> None:
    """Give axes their words and the common look; say so where there is nothing to draw."""
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK, pad=8)
    axes.set_xlabel(x_label, color=MUTED, fontsize=9)
    axes.set_ylabel(y_label, color=MUTED, fontsize=9)
    axes.tick_params(colors=MUTED, labelsize=8.5, length=0)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    if empty:
        axes.text(0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center", color=MUTED)
    elif axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=8.5, labelcolor=INK)


def count_by_log(axes: Axes) -> None:
    """Make the x axis logarithmic with plain whole numbers: 1, 2, 3, 5, 10, ..."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def printable(text: str, length: int = 200) -> str:
    """Text for matplotlib's own font: letters it lacks become a box, long text is cut.

    The font has no Chinese, and drawing such a letter would warn once for each.
    """
    shown = "".join(letter if ord(letter) in _letters() else "□" for letter in text)
    return shown if len(shown) <= length else shown[: length - 1].rstrip() + "…"


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Matplotlib's own font for Pillow, `size` pixels high."""
    return ImageFont.truetype(findfont("DejaVu Sans:bold" if bold else "DejaVu Sans"), size)


@cache
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
