import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

from car_retrieval.metrics.retrieval import per_class, per_query, required_depth, summarise
from car_retrieval.search.result import RetrievalResult, row_blocks


def search(queries, gallery, query_ids, gallery_ids, depth, exclude_own=False):
    """Exact cosine search by a plain full sort."""
    scores = (queries @ gallery.T).astype(np.float32)
    if exclude_own:
        scores[np.equal.outer(query_ids, gallery_ids)] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    scores = np.take_along_axis(scores, order, axis=1)
    hits = np.where(np.isfinite(scores), np.asarray(gallery_ids)[order], -1)
    return RetrievalResult(np.asarray(query_ids), hits, scores)


def ranking(relevance, in_gallery):
    """One query (id 0, class 1) with the given hits; `in_gallery` images are of its class."""
    missing = in_gallery - sum(relevance)
    classes = [1 if right else 2 for right in relevance] + [1] * missing
    hits = np.arange(len(relevance))[None] + 100
    scores = np.linspace(1, 0, len(relevance), dtype=np.float32)[None]
    gallery = pd.Series(classes, index=np.arange(len(classes)) + 100)
    return RetrievalResult(np.zeros(1, np.int64), hits, scores), pd.Series([1]), gallery


def descriptors(rng, classes, spread=1.2, dimensions=6):
    centres = rng.normal(size=(max(classes) + 1, dimensions))
    vectors = centres[classes] + spread * rng.normal(size=(len(classes), dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_one_hit_at_rank_one_shows_what_each_denominator_does():
    result, queries, gallery = ranking([1] + [0] * 99, in_gallery=100)
    row = per_query(result, queries, gallery).iloc[0]
    assert row["legacy AP@20"] == 1.0
    assert row["AP@20"] == 0.05
    assert row["MAP@R"] == 0.01
    assert (row["Relevant"], row["First hit"], row["R@1"]) == (100, 1, 1)


def test_the_worked_example():
    result, queries, gallery = ranking([1, 0, 1, 0], in_gallery=4)
    row = per_query(result, queries, gallery, ks=(1,), k=2).iloc[0]
    assert (row["AP@2"], row["legacy AP@2"]) == (1 / 2, 1)
    assert (row["MAP@R"], row["RP"]) == (pytest.approx(5 / 3 / 4), 2 / 4)
    assert per_query(result, queries, gallery, k=3, ks=(1,))["AP@3"][0] == pytest.approx(5 / 9)


def test_columns_and_types():
    result, queries, gallery = ranking([0, 1, 0], in_gallery=1)
    table = per_query(result, queries, gallery, ks=(2, 3), k=3)
    metrics = ["AP@3", "R@2", "R@3", "MAP@R", "RP", "AP", "legacy AP@3"]
    assert list(table) == ["Query", "Class", "Relevant", *metrics, "First hit"]
    assert table["First hit"].dtype == "Int64"
    assert table[["Query", "Class", "Relevant"]].dtypes.eq("int64").all()


def test_queries_without_a_match_are_left_out_and_counted():
    vectors = np.eye(3, dtype=np.float32)
    queries, gallery = pd.Series([0, 1, 9]), pd.Series([0, 1, 0])
    result = search(vectors, vectors, np.arange(3), np.arange(3), 3)
    table = per_query(result, queries, gallery)
    assert table.loc[2, ["AP@20", "R@1", "MAP@R", "RP", "AP", "legacy AP@20"]].isna().all()
    assert table["Relevant"].tolist() == [2, 1, 0]
    summary = summarise(table, gallery, 20)
    assert (summary["queries"], summary["queries_without_match"]) == (2, 1)
    assert (summary["classes"], summary["gallery"], summary["gallery_classes"]) == (2, 3, 2)
    assert per_class(table)["Class"].tolist() == [0, 1]


def test_nothing_to_score():
    none = pd.Series([], dtype=np.int64)
    empty = RetrievalResult(
        np.zeros(0, np.int64), np.zeros((0, 20), np.int64), np.zeros((0, 20), np.float32)
    )
    table = per_query(empty, none, pd.Series([1] * 50))
    summary = summarise(table, pd.Series([1] * 50), 20)
    assert summary["queries"] == 0
    assert math.isnan(summary["mAP@20"])
    assert math.isnan(summary["macro_mAP@20"])
    assert len(per_class(table)) == 0
    no_gallery = RetrievalResult(
        np.zeros(1, np.int64), np.zeros((1, 0), np.int64), np.zeros((1, 0), np.float32)
    )
    summary = summarise(per_query(no_gallery, pd.Series([1]), none), none, 20)
    assert (summary["queries"], summary["queries_without_match"]) == (0, 1)


def test_short_rankings_are_refused_never_cut():
    result, queries, gallery = ranking([1] * 25, in_gallery=30)
    assert required_depth(queries, gallery, 20) == 30
    with pytest.raises(ValueError, match=r"25 hits are too short.*query id 0 has 30 relevant"):
        per_query(result, queries, gallery)
    result, queries, gallery = ranking([1] * 10 + [0] * 40, in_gallery=10)
    with pytest.raises(ValueError, match="deepest cut-off is 60"):
        per_query(result, queries, pd.concat([gallery, pd.Series([3] * 20)]), ks=(1, 60))


def test_required_depth_counts_only_classes_that_are_asked_for():
    gallery = pd.Series([1] * 50 + [2] * 3)
    assert required_depth(pd.Series([2]), gallery, 20) == 20
    assert required_depth(pd.Series([1]), gallery, 20) == 50
    assert required_depth(pd.Series([7]), gallery, 1000) == 53
    assert required_depth(pd.Series([7]), gallery[:0], 20) == 0


def test_bad_cut_offs_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        per_query(*ranking([1], 1), ks=(0,))


def test_a_query_among_its_own_hits_is_refused():
    vectors = np.eye(2, dtype=np.float32)
    labels = pd.Series([1, 1])
    result = search(vectors, vectors, np.arange(2), np.arange(2), 2)
    with pytest.raises(ValueError, match="own hits"):
        per_query(result, labels, labels, self_in_gallery=True)


def pml(queries, query_classes, gallery=None, gallery_classes=None):
    names = ("mean_average_precision_at_r", "r_precision", "precision_at_1")
    calculator = AccuracyCalculator(names, k="max_bin_count", device=torch.device("cpu"))
    arguments = [queries, query_classes, gallery, gallery_classes]
    tensors = [None if a is None else torch.as_tensor(np.array(a)) for a in arguments]
    at_r = calculator.get_accuracy(*tensors)
    whole = AccuracyCalculator(("mean_average_precision",), k=None, device=torch.device("cpu"))
    return at_r | whole.get_accuracy(*tensors)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_pytorch_metric_learning(seed):
    rng = np.random.default_rng(seed)
    gallery = pd.Series(rng.integers(0, 9, 150), index=rng.permutation(1000)[:150])
    queries = pd.Series(rng.integers(0, 11, 40))  # classes 9 and 10 have no match
    vectors = descriptors(rng, np.concatenate([queries, gallery]))
    result = search(vectors[:40], vectors[40:], queries.index, gallery.index, 150)
    summary = summarise(per_query(result, queries, gallery), gallery, 20)
    expected = pml(vectors[:40], queries, vectors[40:], gallery)
    assert summary["queries_without_match"] > 0
    assert summary["MAP@R"] == pytest.approx(expected["mean_average_precision_at_r"], abs=1e-6)
    assert summary["RP"] == pytest.approx(expected["r_precision"], abs=1e-6)
    assert summary["mAP"] == pytest.approx(expected["mean_average_precision"], abs=1e-6)
    assert summary["R@1"] == pytest.approx(expected["precision_at_1"], abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_pytorch_metric_learning_where_queries_are_the_gallery(seed):
    rng = np.random.default_rng(seed)
    labels = pd.Series(np.append(rng.integers(0, 6, 80), 99))  # 99: alone, so without a match
    vectors = descriptors(rng, labels.to_numpy())
    result = search(vectors, vectors, labels.index, labels.index, 81, exclude_own=True)
    table = per_query(result, labels, labels, self_in_gallery=True)
    summary = summarise(table, labels, 20)
    expected = pml(vectors, labels)
    assert summary["queries_without_match"] == 1
    assert summary["MAP@R"] == pytest.approx(expected["mean_average_precision_at_r"], abs=1e-6)
    assert summary["RP"] == pytest.approx(expected["r_precision"], abs=1e-6)
    assert summary["R@1"] == pytest.approx(expected["precision_at_1"], abs=1e-6)
    assert summary["mAP"] == pytest.approx(expected["mean_average_precision"], abs=1e-6)


def naive(right, relevant, k):
    """The metrics of one query, straight from their definitions."""
    if relevant == 0:
        return None
    sums, hits, first = [0.0], 0, None
    for rank, is_right in enumerate(right, start=1):
        hits += is_right
        first = rank if is_right and first is None else first
        sums.append(sums[-1] + (hits / rank if is_right else 0.0))
    top = sum(right[:k])
    return {
        f"AP@{k}": sums[min(k, len(right))] / min(k, relevant),
        "MAP@R": sums[min(relevant, len(right))] / relevant,
        "RP": sum(right[:relevant]) / relevant,
        f"legacy AP@{k}": sums[min(k, len(right))] / top if top else 0.0,
        "R@1": float(any(right[:1])),
        "R@4": float(any(right[:4])),
        "First hit": first,
    }


@given(data=st.data())
def test_agrees_with_a_naive_loop_in_blocks_of_any_size(data):
    gallery_classes = data.draw(st.lists(st.integers(-2, 3), min_size=1, max_size=12))
    query_classes = data.draw(st.lists(st.integers(-2, 4), min_size=1, max_size=6))
    k = data.draw(st.integers(1, 8))
    gallery = pd.Series(gallery_classes, index=np.arange(len(gallery_classes)) * 3 + 7)
    queries = pd.Series(query_classes, index=np.arange(len(query_classes)) + 50)
    depth = max(required_depth(queries, gallery, max(k, 4)), data.draw(st.integers(0, 12)))
    hits = np.full((len(queries), depth), -1)
    for row in hits:
        found = data.draw(st.permutations(list(gallery.index)))
        found = found[: min(depth, data.draw(st.integers(0, len(found))))]
        row[: len(found)] = found
    scores = np.where(hits >= 0, -np.arange(depth), -np.inf).astype(np.float32)
    result = RetrievalResult(queries.index.to_numpy(), hits, scores)

    cells = data.draw(st.integers(1, 40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_blocks, "__defaults__", (cells,))
        table = per_query(result, queries, gallery, ks=(1, 4), k=k)

    for row, label in enumerate(query_classes):
        right = [hit >= 0 and gallery.get(hit) == label for hit in hits[row]]
        relevant = gallery_classes.count(label)
        expected = naive(right, relevant, k)
        assert table["Relevant"][row] == relevant
        if expected is None:
            assert table.iloc[row].drop(["Query", "Class", "Relevant"]).isna().all()
            continue
        first = expected.pop("First hit")
        assert table["First hit"].isna()[row] if first is None else table["First hit"][row] == first
        assert {name: table[name][row] for name in expected} == pytest.approx(expected)
    assert ("AP" in table) == bool(((hits >= 0).sum(axis=1) == len(gallery)).all())


def test_class_means_and_macro_mean():
    table = pd.DataFrame(
        {
            "Query": [0, 1, 2, 3],
            "Class": [7, 7, 3, 5],
            "Relevant": [4, 4, 2, 0],
            "AP@20": [1.0, 0.0, 0.2, np.nan],
            "R@1": [1.0, 0.0, 0.0, np.nan],
            "MAP@R": [0.5, 0.0, 0.1, np.nan],
            "legacy AP@20": [1.0, 0.0, 1.0, np.nan],
            "First hit": pd.array([1, None, 2, None], dtype="Int64"),
        }
    )
    classes = per_class(table)
    assert classes[["Class", "Queries", "Relevant"]].to_numpy().tolist() == [[3, 1, 2], [7, 2, 4]]
    assert classes["mAP@20"].tolist() == [0.2, 0.5]
    assert list(classes)[3:] == ["mAP@20", "R@1", "MAP@R", "legacy mAP@20"]
    summary = summarise(table, pd.Series([7] * 4 + [3] * 2), 20)
    assert summary == pytest.approx(
        {
            "queries": 3,
            "queries_without_match": 1,
            "classes": 2,
            "gallery": 6,
            "gallery_classes": 2,
            "mAP@20": 0.4,
            "R@1": 1 / 3,
            "MAP@R": 0.2,
            "legacy_mAP@20": 2 / 3,
            "macro_mAP@20": 0.35,
        }
    )
    assert all(type(value) in (int, float) for value in summary.values())
