"""Search and scores as nodes, against naive rankings."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.parameters import evaluation_params
from tests.pipelines.made_up import descriptors, labels, photos, roles

from car_retrieval.data.known_photos import KnownPhotos
from car_retrieval.pipelines.evaluation import nodes as evaluation
from car_retrieval.pipelines.reporting.figures import draw_figures
from car_retrieval.reporting.metric_meanings import remarks
from car_retrieval.search.expansion import expansion
from car_retrieval.search.gallery import Gallery
from car_retrieval.search.kreciprocal import KReciprocal

SPLIT = photos(10).assign(split="train")
ROLES = roles(SPLIT)
_FILE = io.BytesIO()
Image.new("RGB", (20, 10)).save(_FILE, "PNG")
PHOTO = _FILE.getvalue()


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
    pairs, by_query, _, metrics = evaluation.score(hits, *given, ROLES, params)
    sides = (photos(50), {}, photos(50), {})
    drawn = draw_figures(by_query, pairs, hits, *sides, params)
    assert list(drawn) == ["recall", "roc", "similarity", "sizes", "best", "median", "worst"]
    summary = evaluation.summarise(ROLES, SPLIT, test_all=metrics)
    assert summary["queries"].tolist() == [0]
    assert summary["unscored"].tolist() == ["it has no queries"]
    assert summary["mAP@5"].isna().all()
    some = metrics | {"queries": 3}
    summary = evaluation.summarise(ROLES, SPLIT, test_all=some, test_filtered=metrics)
    assert summary["protocol"].tolist() == ["all"]


def test_one_class_in_the_gallery_still_gives_scores(tmp_path: Path) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    queries, only, params = labels(7), labels(50), evaluation_params(k=5)
    queries[:], only[:] = 3, 3
    given = (gallery, gallery, queries, only)
    hits = evaluation.search(*given, params)
    pairs, by_query, by_class, metrics = evaluation.score(hits, *given, ROLES, params)
    assert pairs.empty
    assert len(by_query) == 7
    assert by_class["Class"].tolist() == [3]
    assert metrics["R@1"] == 1
    summary = evaluation.summarise(ROLES, SPLIT, test_all=metrics)
    assert "one class" in summary["unscored"].item()
    assert summary["R@1"].isna().all()  # right by necessity


def unlabelled(rows: int) -> pd.DataFrame:
    return photos(rows).astype({"Class": "Int64"}).assign(Class=pd.NA)


@pytest.mark.parametrize(
    ("gallery", "trained", "why"),
    [
        (unlabelled(50), False, "the photos have no classes"),
        (photos(50), True, "there are no query photos, and the network was trained on the gallery"),
        (photos(50), False, None),
        (photos(50).assign(Class=range(50)), False, "no query has a photo of its class to find"),
    ],
)
def test_without_queries_gallery_photos_search_the_others(
    tmp_path: Path, gallery: pd.DataFrame, trained: bool, why: str | None
) -> None:
    matrix = descriptors(tmp_path / "g.npy", 50, "one")
    split, params = gallery.assign(split="train"), evaluation_params(k=5)
    model: Any = SimpleNamespace(photos=KnownPhotos.of(split, trained))
    *labels, _, _, roles = evaluation.select_test(photos(0), gallery, split, model, params)
    hits = evaluation.search(matrix, matrix, *labels, params)
    assert not (hits.hits == hits.query_ids[:, None]).any()
    pairs, by_query, by_class, metrics = evaluation.score(
        hits, matrix, matrix, *labels, roles, params
    )
    assert metrics["unscored"] == why
    assert metrics["gallery_classes"] == gallery["Class"].nunique()
    assert metrics["queries"] == (0 if why else 50)
    assert pairs.empty == by_class.empty == bool(why)
    files = dict.fromkeys(gallery["Path"], PHOTO)
    drawn = draw_figures(by_query, pairs, hits, gallery, files, gallery, files, params)
    assert all(drawn[kind] for kind in ("best", "median", "worst"))


def test_new_and_trained_photos_are_counted() -> None:
    split = photos(10).assign(split=["train"] * 6 + ["valid"] * 4)
    model: Any = SimpleNamespace(photos=KnownPhotos.of(split))
    grown = photos(13).assign(split=["train"] * 5 + ["valid"] * 8)
    roles = evaluation.tell_roles(model, grown, photos(2), photos(12))
    gallery = roles[roles["Collection"] == "gallery"]
    assert gallery["Role"].tolist() == ["train"] * 6 + ["other"] * 4 + ["new"] * 3
    scored = dict.fromkeys(evaluation.COUNTS, 1) | {"unscored": None}
    summary = evaluation.summarise(roles, grown, test_all=scored, valid_all=scored)
    counts = summary.set_index("split")[["trained_queries", "new_photos"]]
    assert counts.loc["test"].tolist() == [2, 2]
    assert counts.loc["valid"].tolist() == [1, 3]
    assert "new since the training" in " ".join(remarks(summary))
    same = evaluation.tell_roles(model, split, photos(0), split)
    plain = evaluation.summarise(same, split, test_all=scored, valid_all=scored)
    assert list(plain) == ["split", "protocol", *evaluation.COUNTS]
    assert not list(remarks(plain))
