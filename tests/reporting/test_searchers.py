import warnings
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Annotation, Text

from car_retrieval.reporting.searchers import recall_against_speed


def table(speeds, recalls):
    names = [f"searcher_{n}" for n in range(len(speeds))]
    return pd.DataFrame({"searcher": names, "recall@20": recalls, "batch q/s 1 thread": speeds})


def drawn(measured):
    figure = recall_against_speed(measured)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(BytesIO(), format="png", dpi=110)
    return figure


def labels(axes):
    return [child for child in axes.get_children() if isinstance(child, Annotation)]


def letters(text):
    """Where a label's letters stand, without the line to its dot."""
    text.get_window_extent()  # moves them to their place
    return Text.get_window_extent(text)


SPEEDS = [[100.0, 2000.0, 30.0], [1000.0] * 5, [1000, 1010, 1020, 1030, 40000], [5.0]]


@pytest.mark.parametrize("speeds", SPEEDS)
@pytest.mark.parametrize("recall", [[1.0, 0.99, 0.98, 0.999, 0.7], [1.0] * 5])
def test_every_searcher_is_named_once_and_no_names_overlap(speeds, recall):
    (axes,) = drawn(table(speeds, recall[: len(speeds)])).axes
    texts = labels(axes)
    assert sorted(t.get_text() for t in texts) == [f"searcher_{n}" for n in range(len(speeds))]
    boxes = [letters(text) for text in texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


@pytest.mark.parametrize(
    "measured",
    [
        table([], []),
        table([np.nan, 100.0], [0.9, 1.0]),
        table([np.nan], [np.nan]),
        table([100.0], [0.0]),
    ],
)
def test_little_or_nothing_to_show(measured):
    drawn(measured)


def test_the_front_leaves_out_what_is_beaten():
    figure = drawn(table([1000.0, 100.0, 50.0], [0.9, 0.8, 1.0]))
    dotted = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert [list(line.get_xdata()) for line in dotted] == [[1000, 50]]
