import warnings
from io import BytesIO

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from car_retrieval.metrics.verification import verification
from car_retrieval.reporting.figures import (
    ap_by_class_size,
    recall_curve,
    roc_figure,
    similarity_histogram,
    training_curves,
)
from car_retrieval.reporting.style import printable

HISTORY = pd.DataFrame(
    {
        "epoch": [0, 1, 2],
        "loss": [3.0, 2.0, 1.0],
        "lr": [1e-4, 9e-5, 8e-5],
        "seconds": [10.0, 10.0, 10.0],
        "images": [500, 500, 500],
        "AUC": [0.6, 0.8, 0.9],
        "EER": [0.4, 0.3, 0.2],
        "mAP@20": [0.2, 0.5, 0.4],
        "R@1": [0.3, 0.6, 0.7],
    }
)
RANKS = pd.DataFrame(
    {"Relevant": [3, 3, 3, 3, 0], "First hit": pd.array([1, 2, 2, None, None], dtype="Int64")}
)
CLASSES = pd.DataFrame({"Class": [1, 2], "Queries": [3, 1], "Relevant": [9, 80], "mAP@5": [0.2, 1]})
PAIRS = verification([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0])


@pytest.mark.parametrize(
    ("build", "arguments"),
    [
        (training_curves, (HISTORY,)),
        (training_curves, (HISTORY[:1],)),
        (training_curves, (HISTORY[:0],)),
        (training_curves, (HISTORY.assign(**{"mAP@20": np.nan, "AUC": np.nan}),)),
        (training_curves, (HISTORY[["epoch", "loss"]],)),
        (training_curves, (HISTORY.assign(loss=[0.0, 0.0, 0.0]),)),
        (training_curves, (HISTORY.assign(loss=[-1.0, np.inf, np.nan]),)),
        (recall_curve, ({"exact": RANKS, "lopq": RANKS[3:]},)),
        (recall_curve, ({"exact": RANKS[:0]},)),
        (recall_curve, ({f"method {n}": RANKS for n in range(9)},)),
        (recall_curve, ({},)),
        (roc_figure, ({"test": PAIRS},)),
        (roc_figure, ({},)),
        (similarity_histogram, ([0.9, 0.7], [0.8, 0.6], 0.75)),
        (similarity_histogram, ([0.5], [], 0.5)),
        (similarity_histogram, ([], [], 0.0)),
        (ap_by_class_size, (CLASSES,)),
        (ap_by_class_size, (CLASSES[:1],)),
        (ap_by_class_size, (CLASSES[:0],)),
    ],
)
def test_every_chart_is_drawn_without_a_warning(build, arguments):
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build(*arguments).savefig(buffer, format="png", dpi=50)
    pixels = np.asarray(Image.open(buffer).convert("L"))
    assert (pixels < 200).sum() > 100  # there is ink on it


def test_every_tick_of_a_histogram_says_its_share():
    figure = similarity_histogram(np.linspace(0, 1, 4000), np.linspace(0, 1, 4000), 0.5)
    (axes,) = figure.axes
    axes.set_yticks([0, 0.025, 0.05, 0.075])  # as matplotlib chooses them for some pairs
    figure.canvas.draw()
    told = [float(label.get_text().rstrip("%")) / 100 for label in axes.get_yticklabels()]
    assert told == pytest.approx([0, 0.025, 0.05, 0.075])


def test_charts_leave_matplotlibs_global_state_alone():
    before = dict(matplotlib.rcParams)
    training_curves(HISTORY)
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in training_curves.__globals__


def test_the_best_epoch_is_marked():
    figure = training_curves(HISTORY)
    assert "0.500 at epoch 2" in figure.get_suptitle()
    assert all(2 in line.get_xdata() for line in (axes.lines[-1] for axes in figure.axes[:4]))


def test_recall_counts_the_queries_whose_first_hit_came_in_time():
    (axes,) = recall_curve({"exact": RANKS}).axes
    k, recall = axes.lines[0].get_data()
    assert list(k) == [1, 2]
    assert list(recall) == [1 / 4, 3 / 4]  # of the four queries with a match


def test_the_equal_error_rate_lies_on_the_curve():
    (axes,) = roc_figure({"test": PAIRS}).axes
    (point,) = (line for line in axes.lines if line.get_marker() == "o")
    assert (*point.get_xdata(), *point.get_ydata()) == (0.5, 0.5)
    assert "AUC 0.750, EER 50.0%" in axes.get_legend().get_texts()[0].get_text()


def test_histograms_show_shares_of_their_own_group():
    (axes,) = similarity_histogram([0.9] * 10, [0.1] * 1000, 0.5).axes
    heights = [patch.get_height() for patch in axes.patches if hasattr(patch, "get_height")]
    assert sorted(height for height in heights if height > 0) == pytest.approx([1.0, 1.0])


def test_letters_without_a_glyph_become_boxes_and_long_text_is_cut():
    assert printable("丰田Avalon Škoda ✓") == "□□Avalon Škoda ✓"
    assert printable("Volkswagen Passat", 11) == "Volkswagen…"
    assert printable("Volkswagen", 10) == "Volkswagen"


def test_one_epoch_is_a_point_at_a_whole_number():
    for axes in training_curves(HISTORY[:1]).axes[:4]:
        low, high = axes.get_xlim()
        assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def test_one_searcher_needs_no_legend():
    assert recall_curve({"exact": RANKS}).axes[0].get_legend() is None
    assert len(recall_curve({"a": RANKS, "b": RANKS}).axes[0].get_legend().get_texts()) == 2
