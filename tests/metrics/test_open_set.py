import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.metrics.open_set import (
    no_match_threshold,
    open_set,
    open_set_curve,
    open_set_rates,
)
from car_retrieval.search.result import RetrievalResult, row_blocks


def ranked(scores, depth):
    """Rankings of a matrix of similarities [q, n]."""
    scores = np.asarray(scores, np.float32)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    return RetrievalResult(
        np.arange(len(scores)), order.astype(np.int64), np.take_along_axis(scores, order, axis=1)
    )


@st.composite
def collections(draw):
    """Similarities with ties, and classes of queries and gallery."""
    queries = draw(st.lists(st.integers(0, 3), min_size=1, max_size=8))
    gallery = draw(st.lists(st.integers(0, 2), min_size=1, max_size=8))
    cells = st.lists(st.integers(-4, 4), min_size=len(gallery), max_size=len(gallery))
    rows = [draw(cells) for _ in queries]
    return np.array(rows) / 4, pd.Series(queries), pd.Series(gallery)


def naive(scores, queries, gallery):
    """Mated searches, and those of a gallery without the query's class, one by one."""
    mated, right, non_mated = [], [], []
    for row, class_ in zip(scores, queries, strict=True):
        best = max(range(len(gallery)), key=lambda photo: (row[photo], -photo))
        if class_ in set(gallery):
            mated.append(row[best])
            right.append(gallery[best] == class_)
        others = [row[photo] for photo in range(len(gallery)) if gallery[photo] != class_]
        non_mated.append(max(others, default=-np.inf))
    return mated, right, non_mated


@given(collections(), st.booleans())
def test_searches_agree_with_a_naive_loop(collection, whole):
    scores, queries, gallery = collection
    largest = gallery[gallery.isin(queries)].value_counts().max()
    depth = len(gallery) if whole else int(np.nan_to_num(largest)) + 1
    searches = open_set(ranked(scores, depth), queries, gallery)
    mated, right, non_mated = naive(scores, queries, gallery)
    assert searches.mated.tolist() == mated
    assert searches.right.tolist() == right
    assert searches.non_mated.tolist() == non_mated
    assert searches.unknown.tolist() == [class_ not in set(gallery) for class_ in queries]


def test_memory_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    scores, queries = rng.random((9, 6)), pd.Series(rng.integers(0, 3, 9))
    gallery = pd.Series(rng.integers(0, 3, 6))
    whole = open_set(ranked(scores, 6), queries, gallery)
    monkeypatch.setattr(row_blocks, "__defaults__", (6,))
    parts = open_set(ranked(scores, 6), queries, gallery)
    assert whole.non_mated.tolist() == parts.non_mated.tolist()
    assert whole.right.tolist() == parts.right.tolist()


def test_a_ranking_that_ends_too_early_is_refused():
    gallery = pd.Series([1, 1, 2])
    result = ranked([[0.9, 0.8, 0.7]], 2)
    with pytest.raises(ValueError, match="all 2 hits of query id 0 are of its class"):
        open_set(result, pd.Series([1]), gallery)


def test_the_worked_example():
    assert no_match_threshold([0.9, 0.8, 0.8, 0.6], 0.25) == np.nextafter(
        np.float32(0.8), np.float32(1)
    )


@given(
    st.lists(st.integers(-3, 3).map(lambda n: n / 4), min_size=1, max_size=30),
    st.one_of(st.floats(0, 1, exclude_max=True), st.sampled_from([0.07, 0.1, 0.29, 0.58])),
)
def test_no_smaller_threshold_keeps_to_the_rate(scores, rate):
    threshold = no_match_threshold(scores, rate)
    single = np.asarray(scores, np.float32)
    assert threshold == np.float32(threshold)  # nothing is lost against float32 scores
    assert (single >= threshold).mean() <= rate
    smaller = np.nextafter(np.float32(threshold), np.float32(-np.inf))
    assert (single >= smaller).mean() > rate


def test_a_hundred_searches_allow_as_many_answers_as_the_rate_says():
    scores = np.arange(100, dtype=np.float32)
    for rate in range(100):
        assert (scores >= no_match_threshold(scores, rate / 100)).sum() == rate


@pytest.mark.parametrize("rate", [-0.1, 1, float("nan")])
def test_rates_out_of_bounds_are_refused(rate):
    with pytest.raises(ValueError, match="false_match_rate"):
        no_match_threshold([0.5], rate)


def test_no_search_has_no_threshold():
    with pytest.raises(ValueError, match="at least one search"):
        no_match_threshold([], 0.1)


def test_a_gallery_of_one_class_refuses_nothing():
    searches = open_set(ranked([[0.4, 0.5]], 2), pd.Series([1]), pd.Series([1, 1]))
    threshold = no_match_threshold(searches.non_mated, 0)
    assert np.isfinite(threshold)
    assert open_set_rates(searches, threshold)["TPIR"] == 1
    assert open_set_rates(searches, threshold)["FPIR"] == 0


def test_perfect_and_worst():
    gallery, queries = pd.Series([1, 2]), pd.Series([1, 2])
    perfect = open_set(ranked([[1, 0], [0, 1]], 2), queries, gallery)
    assert open_set_rates(perfect, no_match_threshold(perfect.non_mated, 0)) == {
        "queries": 2,
        "mated": 2,
        "unknown": 0,
        "FPIR": 0,
        "FPIR_unknown": pytest.approx(np.nan, nan_ok=True),
        "accepted": 1,
        "TPIR": 1,
        "R@1": 1,
    }
    worst = open_set(ranked([[0, 1], [1, 0]], 2), queries, gallery)
    rates = open_set_rates(worst, no_match_threshold(worst.non_mated, 0))
    assert (rates["accepted"], rates["TPIR"], rates["R@1"]) == (0, 0, 0)


def test_unknown_queries_are_counted_apart():
    searches = open_set(ranked([[0.9, 0.1], [0.3, 0.7]], 2), pd.Series([1, 8]), pd.Series([1, 2]))
    rates = open_set_rates(searches, 0.5)
    assert (rates["mated"], rates["unknown"]) == (1, 1)
    assert (rates["FPIR"], rates["FPIR_unknown"]) == (0.5, 1)  # .1 is refused, .7 is not


def test_a_class_of_one_photo_has_no_mated_search_within_itself():
    classes = pd.Series([1, 1, 2])
    similar = [[-9, 0.5, 0.4], [0.5, -9, 0.3], [0.4, 0.3, -9]]  # -9: itself, the last of all
    result = ranked(similar, 3).without_own()
    searches = open_set(result, classes, classes, self_in_gallery=True)
    assert searches.mated.tolist() == pytest.approx([0.5, 0.5])
    assert searches.right.tolist() == [True, True]
    assert searches.non_mated.tolist() == pytest.approx([0.4, 0.3, 0.4])
    assert searches.unknown.tolist() == [False, False, True]
    elsewhere = open_set(ranked(np.eye(3), 3), classes, classes)  # ids of another collection
    assert len(elsewhere.mated) == 3


@given(collections())
def test_the_curve_passes_through_the_rates_of_every_threshold(collection):
    scores, queries, gallery = collection
    searches = open_set(ranked(scores, len(gallery)), queries, gallery)
    false, true = open_set_curve(searches)
    expected = [(0.0, 0.0)]
    for threshold in sorted({*searches.mated, *searches.non_mated} - {-np.inf}, reverse=True):
        rates = open_set_rates(searches, float(threshold))
        expected.append((rates["FPIR"], np.nan_to_num(rates["TPIR"])))
    np.testing.assert_allclose(np.stack([false, true], axis=1), expected)
    assert (np.diff(false) >= 0).all()
    assert (np.diff(true) >= 0).all()


def test_empty():
    none = open_set(
        RetrievalResult(np.zeros(0, np.int64), np.zeros((0, 2), np.int64), np.zeros((0, 2), "f4")),
        pd.Series([], dtype="int64"),
        pd.Series([1, 2]),
    )
    assert open_set_rates(none, 0.5)["queries"] == 0
    assert np.isnan(open_set_rates(none, 0.5)["FPIR"])
    assert [rates.tolist() for rates in open_set_curve(none)] == [[0.0], [0.0]]
