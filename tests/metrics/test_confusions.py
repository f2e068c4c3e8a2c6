import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.metrics.confusions import confusions
from car_retrieval.search.result import RetrievalResult

COLUMNS = ["Class", "Found class", "Queries", "Confused", "Share", "Query", "Hit", "Similarity"]


def firsts(hits, scores, ids=None):
    """Rankings of one hit."""
    ids = np.arange(len(hits)) if ids is None else np.asarray(ids)
    hits = np.asarray(hits, np.int64)[:, None]
    scores = np.where(hits < 0, -np.inf, np.asarray(scores, np.float32)[:, None])
    return RetrievalResult(ids.astype(np.int64), hits, scores.astype(np.float32))


def test_the_worked_example():
    gallery = pd.Series([1, 2, 2], index=[10, 20, 21])
    table = confusions(firsts([10, 20, 21], [0.8, 0.7, 0.9]), pd.Series([1, 1, 1]), gallery)
    assert table.columns.tolist() == COLUMNS
    assert table.iloc[0].tolist() == pytest.approx([1, 2, 3, 2, 2 / 3, 2, 21, 0.9])
    assert len(table) == 1


def test_perfect_worst_and_empty():
    gallery = pd.Series([1, 2, 3])
    queries = pd.Series([1, 2, 3])
    assert confusions(firsts([0, 1, 2], [1, 1, 1]), queries, gallery).empty
    worst = confusions(firsts([1, 2, 0], [0.5, 0.5, 0.5]), queries, gallery)
    assert worst[["Class", "Found class", "Share"]].to_numpy().tolist() == [
        [1, 2, 1],
        [2, 3, 1],
        [3, 1, 1],
    ]
    empty = confusions(firsts([], []), queries[:0], gallery)
    assert empty.columns.tolist() == COLUMNS
    assert empty.empty


def test_queries_without_a_match_and_without_a_hit_confuse_nothing():
    gallery = pd.Series([1, 2])
    queries = pd.Series([9, 1, 1])  # 9 is not in the gallery
    table = confusions(firsts([0, -1, 1], [0.9, 0, 0.3]), queries, gallery)
    assert table[["Class", "Found class", "Queries", "Confused"]].to_numpy().tolist() == [
        [1, 2, 2, 1]
    ]


def test_classes_of_64_bits_stay_whole():
    gallery = pd.Series([2**62, 2**62 + 1])
    table = confusions(firsts([1], [0.5]), pd.Series([2**62]), gallery)
    assert table[["Class", "Found class"]].to_numpy().tolist() == [[2**62, 2**62 + 1]]


def test_a_hit_outside_the_gallery_is_refused():
    with pytest.raises(ValueError, match="hit id 7 is not in gallery_labels"):
        confusions(firsts([7], [0.5]), pd.Series([1]), pd.Series([1]))


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 7), st.integers(0, 3)), max_size=25),
    st.randoms(use_true_random=False),
)
def test_counts_agree_with_a_naive_loop(drawn, random):
    gallery = pd.Series([random.randrange(4) for _ in range(8)])
    ids = random.sample(range(100), len(drawn))
    queries = pd.Series([row[0] for row in drawn], index=ids, dtype=np.int64)
    hits = [row[1] for row in drawn]
    scores = [row[2] / 4 for row in drawn]
    expected = {}
    for id_, hit, score in zip(ids, hits, scores, strict=True):
        class_ = queries[id_]
        if class_ not in set(gallery) or hit < 0 or gallery[hit] == class_:
            continue
        row = expected.setdefault((class_, gallery[hit]), [0, (1.0, 0, 0)])
        row[0] += 1
        row[1] = min(row[1], (-score, id_, hit))
    rows = [
        (*pair, sum(queries == pair[0]), count, count / sum(queries == pair[0]), id_, hit, -score)
        for pair, (count, (score, id_, hit)) in expected.items()
    ]
    rows.sort(key=lambda row: (-row[3], -row[4], row[0], row[1]))
    table = confusions(firsts(hits, scores, ids), queries, gallery)
    assert table.to_numpy().tolist() == [list(row) for row in rows]
