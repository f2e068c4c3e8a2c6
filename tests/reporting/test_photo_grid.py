import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageColor, ImageDraw

from car_retrieval.reporting.photo_grid import (
    GridMatch,
    GridRow,
    contact_sheet,
    pick_queries,
    retrieval_grid,
)
from car_retrieval.reporting.style import GREEN, INK, RED


def photo(height=30, width=40, value=128):
    return np.full((height, width, 3), value, dtype=np.uint8)


@pytest.fixture
def texts(monkeypatch):
    written = []
    text = ImageDraw.ImageDraw.text

    def note(pen, place, shown, *given, **named):
        written.append(shown)
        text(pen, place, shown, *given, **named)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", note)
    return written


def area(sheet, colour):
    """Left, top, right and bottom of the pixels of one colour, and their number."""
    own = (np.asarray(sheet) == ImageColor.getrgb(colour)).all(axis=2)
    rows, columns = np.nonzero(own)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, own.sum()


def test_right_and_wrong_are_marked_by_colour_and_sign(texts):
    matches = [
        GridMatch(photo(), True, 0.91, "Audi A4L"),
        GridMatch(photo(50, 20), False, 0.52, "BWM"),
    ]
    sheet = retrieval_grid("Best", [GridRow(photo(), "Audi · AP@20 1.000", matches)])
    assert texts == ["Best", "Audi · AP@20 1.000", "✓ 0.910", "Audi A4L", "✗ 0.520", "BWM"]
    query, right, wrong = (area(sheet, colour) for colour in (INK, GREEN, RED))
    assert query[0] < right[0] < right[2] < wrong[0]
    assert min(right[4], wrong[4]) > 1000  # frames, not only signs


def test_an_unknown_similarity_is_not_written(texts):
    row = GridRow(photo(), "", [GridMatch(photo(), True, float("nan"), "hit > 20")])
    retrieval_grid("", [row])
    assert texts == ["", "", "✓", "hit > 20"]


@pytest.mark.parametrize("shape", [(30, 40), (200, 50), (40, 90), (400, 400)])
def test_photos_keep_their_shape_and_stay_on_the_sheet(shape):
    pixels = np.full((*shape, 3), (1, 2, 250), np.uint8)
    row = GridRow(photo(64, 64), "", [GridMatch(pixels, True, 0.5)])
    sheet = retrieval_grid("", [row], columns=1)
    left, top, right, bottom, count = area(sheet, "#0102fa")
    assert count == (right - left) * (bottom - top)
    assert (right - left) / (bottom - top) == pytest.approx(shape[1] / shape[0], rel=0.1)
    assert 2 <= left < right <= sheet.width - 2
    assert 2 <= top < bottom <= sheet.height - 2


def test_a_photo_of_one_pixel_is_drawn():
    sheet = retrieval_grid("", [GridRow(photo(1, 1), "", [GridMatch(photo(1, 300), True, 0.5)])])
    assert (np.asarray(sheet) == 128).all(axis=2).any()


def test_only_the_asked_columns_are_shown(texts):
    row = GridRow(photo(), "query", [GridMatch(photo(), True, 0.5)] * 9)
    retrieval_grid("", [row], columns=3)
    assert texts.count("✓ 0.500") == 3


@pytest.mark.parametrize("rows", [[], [GridRow(photo(), "nothing found", [])]])
def test_empty_galleries_are_drawn(rows):
    assert np.asarray(retrieval_grid("Worst", rows)).min() < 255


def test_odd_names_do_not_break(texts):
    name = "丰田Avalon $\\frac{1$ <b> _^ Škoda"
    row = GridRow(photo(), name, [GridMatch(photo(), True, 0.5, name)])
    retrieval_grid(name, [row])
    assert texts[0] == name.replace("丰田", "□□")


def test_a_contact_sheet_shows_every_photo_in_its_place():
    images = np.zeros((5, 3, 8, 8), dtype=np.uint8)
    images[:, 0] = np.arange(5)[:, None, None] * 50
    sheet = np.asarray(contact_sheet(images, columns=3))
    assert sheet.shape == (2 * 12 + 4, 3 * 12 + 4, 3)
    for number in range(5):
        row, column = divmod(number, 3)
        place = sheet[4 + 12 * row : 12 + 12 * row, 4 + 12 * column : 12 + 12 * column]
        assert (place == [number * 50, 0, 0]).all()
    assert (sheet[16:, 28:] == 255).all()  # nothing in the sixth place


def test_contact_sheets_of_nothing_and_of_bad_input():
    assert contact_sheet(np.zeros((0, 3, 8, 8), np.uint8), 3).size == (40, 16)
    with pytest.raises(ValueError, match="float64"):
        contact_sheet(np.zeros((1, 3, 8, 8)), 3)
    with pytest.raises(ValueError, match="columns=0"):
        contact_sheet(np.zeros((1, 3, 8, 8), np.uint8), 0)


def table(rows):
    names = ["Query", "Class", "AP@20", "Relevant"]
    return pd.DataFrame([(*row, 1)[:4] if len(row) == 3 else row for row in rows], columns=names)


def test_best_median_and_worst_come_from_different_classes():
    scores = [0.9, 0.9, 0.8, 0.5, 0.5, 0.4, 0.1, 0.0, 0.0]
    classes = [1, 1, 2, 3, 3, 4, 5, 6, 6]
    rows = list(zip(range(9), classes, scores, strict=True))
    picked = pick_queries(table(rows[::-1]), 2)
    assert picked == {"best": [0, 2], "median": [3, 5], "worst": [7, 6]}


def test_one_class_fills_up_and_unmatched_queries_never_show():
    rows = [(n, 1, n / 8, 1) for n in range(9)] + [(9, 2, np.nan, 0)]
    picked = pick_queries(table(rows), 3)
    assert picked == {"best": [8, 7, 6], "median": [4, 3, 5], "worst": [0, 1, 2]}


def test_few_queries_are_shared_out():
    assert pick_queries(table([]), 3) == {"best": [], "median": [], "worst": []}
    assert pick_queries(table([(5, 1, 0.5)]), 3) == {"best": [5], "median": [], "worst": []}


def naive_group(left, count, order):
    """Pick one by one: the best of an unseen class, or, if there is none, the best."""
    chosen, classes, left = [], set(), sorted(left, key=lambda row: (order(row[2]), row[0]))
    while left and len(chosen) < count:
        row = next((row for row in left if row[1] not in classes), left[0])
        left.remove(row)
        chosen.append(row[0])
        classes.add(row[1])
    return chosen


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0, 0.25, 0.5, 1])), max_size=20),
    st.integers(1, 6),
    st.randoms(),
)
def test_picking_agrees_with_a_naive_loop(drawn, count, random):
    rows = [(number, *row) for number, row in enumerate(drawn)]
    count = min(count, max(1, len(rows) // 3))
    middle = float(np.median([row[2] for row in rows])) if rows else 0
    expected, left = {}, rows
    for group, order in (
        ("best", lambda score: -score),
        ("worst", lambda score: score),
        ("median", lambda score: abs(score - middle)),
    ):
        expected[group] = naive_group(left, count, order)
        left = [row for row in left if row[0] not in expected[group]]
    shuffled = random.sample(rows, len(rows))
    assert pick_queries(table(shuffled), count) == expected
