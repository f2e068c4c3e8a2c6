"""Search and scores as nodes, against naive rankings."""

from pathlib import Path

import numpy as np
import pytest
from tests.parameters import evaluation_params
from tests.pipelines.made_up import descriptors, labels, photos

from car_retrieval.pipelines.evaluation import nodes as evaluation
from car_retrieval.pipelines.reporting.figures import draw_figures
from car_retrieval.search.expansion import expansion
from car_retrieval.search.gallery import Gallery
from car_retrieval.search.kreciprocal import KReciprocal

SPLIT = photos(10).assign(split="train")


EXPANSION = {"kind": "expansion", "query_k": 3, "database_k": 2, "alpha": 1}


KRECIPROCAL = {"kind": "kreciprocal", "k1": 4, "k2": 2, "weight": 0.4, "candidates": 8}


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_search_of_chosen_rows_equals_a_naive_ranking(tmp_path: Path, batch_size: int) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    queries = descriptors(tmp_path / "q.npy", 7, "one")
    params = evaluation_params(k=5, recall_at=[1, 5], batch_size=batch_size)
    query_labels, gallery_labels = labels(7).iloc[[5, 1, 2]], labels(50).iloc[::2]
    result = evaluation.search(queries, gallery, query_labels, gallery_labels, params)
    chosen = gallery_labels.index.to_numpy()
    scores = queries[:][[5, 1, 2]] @ gallery[:][chosen].T
    expected = chosen[np.argsort(-scores, axis=1)]
    assert result.query_ids.tolist() == [5, 1, 2]
    np.testing.assert_array_equal(result.hits, expected[:, : result.depth])


@pytest.mark.parametrize("batch_size", [2, 100])
@pytest.mark.parametrize("reranking", [EXPANSION, KRECIPROCAL])
def test_hits_are_those_of_the_reranking_that_is_asked_for(
    tmp_path: Path, reranking: dict, batch_size: int
) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    queries = descriptors(tmp_path / "q.npy", 7, "one")
    params = evaluation_params(k=5, reranking=reranking, batch_size=batch_size)
    rows = labels(50).iloc[::-2]
    given = (queries, gallery, labels(7), rows)
    found = evaluation.search(*given, params)
    searched = Gallery(gallery, np.sort(rows.index.to_numpy()))
    ranking = (
        expansion(searched, query_k=3, database_k=2, alpha=1)
        if reranking is EXPANSION
        else KReciprocal(searched, k1=4, k2=2, weight=0.4, candidates=8)
    )
    wanted = ranking.search(np.arange(7), queries[:], found.depth)
    np.testing.assert_array_equal(found.hits, wanted.hits)
    np.testing.assert_array_equal(found.scores, wanted.scores)
    plain = evaluation.search(*given, evaluation_params(k=5))
    assert (found.hits != plain.hits).any()


@pytest.mark.parametrize("reranking", [None, EXPANSION, KRECIPROCAL])
def test_no_queries_still_give_a_summary(tmp_path: Path, reranking: dict | None) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    none, params = labels(0), evaluation_params(k=5, reranking=reranking)
    given = (gallery, gallery, none, labels(50))
    hits = evaluation.search(*given, params)
    pairs, by_query, _, metrics = evaluation.score(hits, *given, SPLIT, params)
    sides = (photos(50), {}, photos(50), {})
    drawn = draw_figures(by_query, pairs, hits, *sides, params)
    assert list(drawn) == ["recall", "roc", "similarity", "sizes", "best", "median", "worst"]
    summary = evaluation.summarise(test_all=metrics)
    assert summary["queries"].tolist() == [0]
    assert summary["mAP@5"].isna().all()
    some = metrics | {"queries": 3}
    summary = evaluation.summarise(test_all=some, test_filtered=metrics)
    assert summary["protocol"].tolist() == ["all"]


def test_one_class_in_the_gallery_still_gives_scores(tmp_path: Path) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    queries, only, params = labels(7), labels(50), evaluation_params(k=5)
    queries[:], only[:] = 3, 3
    given = (gallery, gallery, queries, only)
    hits = evaluation.search(*given, params)
    pairs, by_query, by_class, metrics = evaluation.score(hits, *given, SPLIT, params)
    assert pairs.empty
    assert len(by_query) == 7
    assert by_class["Class"].tolist() == [3]
    assert metrics["R@1"] == 1
