import numpy as np
import pandas as pd
import pytest

from car_retrieval.search.result import RetrievalResult, row_blocks

NONE = -np.inf


def result(hits, scores, query_ids=None):
    hits = np.asarray(hits, dtype=np.int64)
    ids = np.arange(len(hits)) if query_ids is None else np.asarray(query_ids)
    return RetrievalResult(ids.astype(np.int64), hits, np.asarray(scores, dtype=np.float32))


def test_a_valid_result_is_kept_without_a_copy_and_read_only():
    hits = np.array([[4, 2, -1], [7, -1, -1]])
    made = result(hits, [[0.9, 0.9, NONE], [-0.5, NONE, NONE]], [10, 3])
    assert made.depth == 3
    assert repr(made) == "RetrievalResult(2 queries, 3 hits each)"
    assert np.shares_memory(made.hits, hits)
    with pytest.raises(ValueError, match="read-only"):
        made.hits[0, 0] = 1
    hits[0, 0] = 4  # the caller's own array stays writeable


def test_without_its_own_id_a_query_keeps_the_rest_in_order():
    hits = [[7, 4, 2], [4, 8, -1], [1, 2, 9], [3, 5, 6]]
    scores = [[0.9, 0.8, 0.7], [0.9, 0.8, NONE], [0.9, 0.9, 0.9], [0.3, 0.2, 0.1]]
    left = result(hits, scores, [7, 8, 9, 4]).without_own()
    assert left.hits.tolist() == [[4, 2], [4, -1], [1, 2], [3, 5]]
    wanted = [[0.8, 0.7], [0.9, NONE], [0.9, 0.9], [0.3, 0.2]]
    np.testing.assert_array_equal(left.scores, np.array(wanted, np.float32))
    assert left.query_ids.tolist() == [7, 8, 9, 4]


@pytest.mark.parametrize(
    ("hits", "scores", "message"),
    [
        ([[1, -1, 2]], [[0.9, NONE, NONE]], "hit after a -1"),
        ([[1, -2, -1]], [[0.9, NONE, NONE]], "below -1"),
        ([[1, 2, 1]], [[0.9, 0.8, 0.7]], "duplicate"),
        ([[1, 2, 3]], [[0.7, 0.8, 0.6]], "increase"),
        ([[1, 2, 3]], [[0.7, np.nan, 0.6]], "not finite"),
        ([[1, 2, 3]], [[0.7, 0.6, NONE]], "not finite"),
        ([[1, 2, -1]], [[0.7, 0.6, 0.0]], "not -inf"),
    ],
)
def test_a_broken_row_is_named_by_its_query(hits, scores, message):
    good_hits, good_scores = [[1, 2, 3]], [[0.3, 0.2, 0.1]]
    with pytest.raises(ValueError, match=rf"query id 8 \(row 1\).*{message}"):
        result(good_hits + hits, good_scores + scores, [5, 8])


@pytest.mark.parametrize(
    ("query_ids", "hits", "scores", "message"),
    [
        (np.zeros(1, np.int32), np.zeros((1, 1), np.int64), np.zeros((1, 1), np.float32), "int32"),
        (np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.float32), "2 dimension"),
        (np.zeros(1, np.int64), np.zeros((1, 1), np.int64), np.zeros((1, 1)), "float64"),
        (np.zeros(2, np.int64), np.zeros((1, 1), np.int64), np.zeros((1, 1), np.float32), "shapes"),
        (np.zeros(1, np.int64), np.zeros((1, 2), np.int64), np.zeros((1, 1), np.float32), "shapes"),
        (np.zeros(2, np.int64), np.eye(2, dtype=np.int64), np.eye(2, dtype=np.float32), "query_id"),
    ],
)
def test_wrong_types_and_shapes_are_refused(query_ids, hits, scores, message):
    with pytest.raises(ValueError, match=message):
        RetrievalResult(query_ids, hits, scores)


def test_relevance_looks_labels_up_by_id_not_by_position():
    gallery = pd.Series([5, 6, 5], index=[30, 10, 20])  # a selection, in any order
    queries = pd.Series([6, 5], index=[1, 0])
    made = result([[10, 20], [30, -1]], [[0.9, 0.8], [0.7, NONE]])
    assert made.relevance(queries, gallery).tolist() == [[False, True], [False, False]]
    assert made.relevance(queries, gallery, slice(1, 2)).tolist() == [[False, False]]


def test_unknown_and_repeated_ids_are_refused():
    made = result([[3]], [[0.5]], [1])
    known = pd.Series([0], index=[3])
    with pytest.raises(ValueError, match="query id 1 is not in query_labels"):
        made.relevance(known, known)
    with pytest.raises(ValueError, match="hit id 3 is not in gallery_labels"):
        made.relevance(pd.Series([0], index=[1]), pd.Series([0], index=[1]))
    with pytest.raises(ValueError, match="gallery_labels has duplicate id 3"):
        made.relevance(pd.Series([0], index=[1]), pd.Series([0, 1], index=[3, 3]))


def test_empty_results_are_valid():
    labels = pd.Series([], dtype=np.int64)
    assert result(np.zeros((0, 5)), np.zeros((0, 5))).relevance(labels, labels).shape == (0, 5)
    made = result([[-1, -1]], [[NONE, NONE]])  # an empty gallery
    assert not made.relevance(pd.Series([1]), labels).any()


@pytest.mark.parametrize(("rows", "width"), [(0, 3), (1, 10**9), (7, 3), (10, 0)])
def test_blocks_cover_every_row_once(rows, width):
    blocks = list(row_blocks(rows, width, cells=6))
    assert [row for block in blocks for row in range(rows)[block]] == list(range(rows))
    assert all(block.stop - block.start <= max(1, 6 // max(1, width)) for block in blocks)
