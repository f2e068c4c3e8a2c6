import warnings
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from PIL import Image

from car_retrieval.metrics.open_set import OpenSet, open_set_rates
from car_retrieval.reporting.descriptor_map import (
    COLOURS,
    OTHER,
    descriptor_map,
    draw_sample,
    project,
)
from car_retrieval.reporting.diagnosis import attribute_scores, open_set_figure

SCORES = pd.DataFrame(
    [
        ("valid", "year", "2009", 3, 0.5, 1.0),
        ("valid", "year", "2010", 1, 0.2, 0.0),
        ("test", "year", "2010", 4, 0.1, 0.0),
        ("test", "make", "丰田 $x", 4, 0.1, 0.0),
    ],
    columns=["split", "attribute", "value", "queries", "mAP@5", "R@1"],
)
PLACES = pd.DataFrame(
    {
        "side": ["gallery", "query", "gallery"],
        "Class": [1, 1, 2],
        "Name": ["丰田 $x", "丰田 $x", None],
        "x": [0.0, 1.0, 2.0],
        "y": [0.0, 3.0, 4.0],
    }
)


def searches(mated, right, non_mated):
    return OpenSet(
        np.array(mated, np.float32),
        np.array(right, bool),
        np.array(non_mated, np.float32),
        np.zeros(len(non_mated), bool),
    )


KNOWN = searches([0.9, 0.8], [True, False], [0.7, 0.85])
NONE = searches([], [], [])


@pytest.mark.parametrize(
    ("build", "arguments"),
    [
        (attribute_scores, (SCORES,)),
        (attribute_scores, (SCORES[:1],)),
        (attribute_scores, (SCORES[:0],)),
        (descriptor_map, (PLACES, pd.Index([1]))),
        (descriptor_map, (PLACES, pd.Index([]))),
        (descriptor_map, (PLACES[:0], pd.Index([]))),
        (open_set_figure, ({"valid": KNOWN, "test": KNOWN}, {})),
        (open_set_figure, ({"valid": NONE, "test": KNOWN}, {"test": open_set_rates(KNOWN, 0.8)})),
        (open_set_figure, ({"valid": NONE, "test": NONE}, {})),
    ],
)
def test_every_chart_is_drawn_without_a_warning(build, arguments):
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build(*arguments).savefig(buffer, format="png", dpi=50)
    pixels = np.asarray(Image.open(buffer).convert("L"))
    assert (pixels < 200).sum() > 50  # there is ink on it


def test_every_attribute_has_its_panel_and_every_value_its_dot():
    year, make = attribute_scores(SCORES).axes
    ticks = [label.get_text() for label in year.get_yticklabels()]
    assert ticks == ["2010", "2009"]  # from below
    dots = {
        (ticks[int(place)], score)
        for drawn in year.collections
        for score, place in drawn.get_offsets().tolist()
    }
    assert dots == {("2009", 0.5), ("2010", 0.2), ("2010", 0.1)}
    assert make.get_title(loc="left") == "mAP@5 by make"


def test_of_many_values_those_with_most_queries_are_shown():
    many = pd.DataFrame(
        [("test", "make", f"{n:02}", n, 0.5, 0.5) for n in range(1, 31)], columns=SCORES.columns
    )
    (axes,) = attribute_scores(many).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        str(n) for n in range(30, 18, -1)
    ]
    assert "12 of 30 with most queries" in axes.get_title(loc="left")


def test_the_threshold_lies_on_its_curve():
    rates = open_set_rates(KNOWN, 0.85)
    (axes,) = open_set_figure({"valid": KNOWN}, {"valid": rates}).axes
    curve, point = axes.lines
    places = list(zip(*curve.get_data(), strict=True))
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (0.5, 0.5)
    assert (0.5, 0.5) in places


def test_shown_classes_have_a_colour_and_a_name():
    (axes,) = descriptor_map(PLACES, pd.Index([1])).axes
    assert [(text.get_text(), *text.get_position()) for text in axes.texts] == [("□□ $x", 0.5, 1.5)]
    grey, gallery, _, _, query, _ = axes.collections
    assert grey.get_offsets().tolist() == [[2, 4]]
    assert to_hex(grey.get_facecolor()[0]) == OTHER
    assert gallery.get_offsets().tolist() == [[0, 0]]
    assert query.get_offsets().tolist() == [[1, 3]]
    assert {to_hex(part.get_facecolor()[0]) for part in (gallery, query)} == {COLOURS[0]}


@given(
    st.lists(st.integers(0, 5), max_size=60),
    st.lists(st.integers(0, 5), max_size=3, unique=True),
    st.integers(1, 40),
)
def test_a_sample_holds_shown_classes_first(classes, shown, count):
    labels = pd.Series(classes, dtype="int64")
    drawn = draw_sample(labels, pd.Index(shown, dtype="int64"), count, seed=3)
    assert drawn.index.is_unique
    assert labels[drawn.index].equals(drawn)
    share = count // 2 // max(1, len(shown))
    for class_ in shown:
        assert (drawn == class_).sum() == min(share, classes.count(class_))
    others = sum(class_ not in shown for class_ in classes)
    taken = drawn.isin(shown).sum()
    assert len(drawn) == taken + min(others, count - taken)


def test_a_map_keeps_neighbours_together_and_repeats():
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(4, 16), 20, axis=0)
    vectors = (centres + 0.05 * rng.normal(size=(80, 16))).astype(np.float32)
    places = project(vectors, 7)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(axis=1) // 20 == np.arange(80) // 20).all()
    assert np.array_equal(places, project(vectors, 7))


@pytest.mark.parametrize("shape", [(0, 8), (1, 8), (3, 8), (4, 8), (5, 8), (40, 1), (40, 3)])
def test_a_map_of_few_photos_or_axes(shape):
    places = project(np.random.default_rng(0).normal(size=shape).astype(np.float32), 7)
    assert places.shape == (shape[0], 2)
    assert np.isfinite(places).all()
