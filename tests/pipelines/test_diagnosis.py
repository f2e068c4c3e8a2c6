"""Confusions, attributes, the map and the threshold for no match, as nodes."""

import io
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.parameters import evaluation_params

from car_retrieval.data.attributes import class_names
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.metrics.open_set import open_set
from car_retrieval.metrics.retrieval import per_query
from car_retrieval.pipelines.diagnosis import nodes as diagnosis
from car_retrieval.pipelines.reporting.sections import write_diagnosis
from car_retrieval.reporting.photo_rows import confusion_rows
from car_retrieval.reporting.report import Section
from car_retrieval.search.result import RetrievalResult

GALLERY = pd.DataFrame(
    {
        "Path": [f"g{n}.png" for n in range(6)],
        "Index": range(6),
        "Class": [1, 1, 2, 2, 3, 3],
        "CarMake": pd.array([7, 7, 7, 7, 8, 8], "Int64"),
        "MakeName": ["Audi", "Audi", "Audi", "Audi", None, None],
        "ModelName": ["Audi A4", "Audi A4", "A6", "A6", None, None],
        "Year": pd.array([2009, 2010, None, 2009, 2009, 2009], "Int64"),
        "View Point": pd.array([1, 4, 1, 9, None, 1], "Int64"),
    }
)
QUERIES = pd.DataFrame({"Path": ["q0.png", "q1.png"], "Index": [0, 1], "Class": [1, 2]})


def labels(photos: pd.DataFrame) -> pd.Series:
    return photos.set_index("Index")["Class"]


def image_files(photos: pd.DataFrame) -> dict[str, bytes]:
    """Photos of one grey level each, ten times the row."""
    files = {}
    for row, path in enumerate(photos["Path"]):
        buffer = io.BytesIO()
        Image.new("RGB", (20, 10), (10 * row,) * 3).save(buffer, "PNG")
        files[path] = buffer.getvalue()
    return files


def ranking(hits: list[list[int]]) -> RetrievalResult:
    scores = np.linspace(0.9, 0.1, len(hits[0]), dtype=np.float32)[None].repeat(len(hits), 0)
    return RetrievalResult(np.arange(len(hits)), np.array(hits), scores)


HITS = ranking([[2, 3, 1, 0], [4, 0, 5, 1]])  # both wrong; the second never finds its class


def test_classes_are_called_by_make_and_model() -> None:
    names = class_names(GALLERY)
    assert names.to_dict() == {1: "Audi A4", 2: "Audi A6", 3: "class 3"}
    twice = GALLERY.assign(ModelName="A4")
    assert class_names(twice)[[1, 2]].tolist() == ["Audi A4 (1)", "Audi A4 (2)"]
    assert class_names(QUERIES).tolist() == ["class 1", "class 2"]
    assert class_names(QUERIES[:0]).empty


def test_a_query_of_the_gallery_is_not_its_own_right_photo() -> None:
    photos = pd.DataFrame({"Index": [0, 1, 2], "Path": list("abc"), "Class": [1, 1, 2]})
    files = image_files(photos)
    hits = ranking([[2], [2], [0]])
    table = pd.DataFrame(
        {"Query": [0], "Hit": 2, "Similarity": 0.9, "Class": 1, "Confused": 1, "Queries": 2}
    ).assign(Name="one", **{"Found name": "two"})
    (row,) = confusion_rows(table, hits, (photos, files), (photos.copy(), files), labels(photos))
    assert int(row.matches[1].image[0, 0, 0]) // 10 == 1


def found_confusions(**params: int) -> tuple[pd.DataFrame, Image.Image]:
    sides = (QUERIES, image_files(QUERIES), GALLERY, image_files(GALLERY))
    both = labels(QUERIES), labels(GALLERY)
    return diagnosis.find_confusions(HITS, *both, *sides, evaluation_params(**params))


def test_confusions_are_named_and_shown_with_the_right_photo() -> None:
    table, _ = found_confusions()
    assert table[["Name", "Found name"]].to_numpy().tolist() == [
        ["Audi A4", "Audi A6"],
        ["Audi A6", "class 3"],
    ]
    queries, gallery = (QUERIES, image_files(QUERIES)), (GALLERY, image_files(GALLERY))
    first, second = confusion_rows(table, HITS, queries, gallery, labels(GALLERY))
    assert first.caption == "Audi A4 → Audi A6 · 1 of 1"
    assert [int(match.image[0, 0, 0]) // 10 for match in first.matches] == [2, 1]
    assert [match.right for match in first.matches] == [False, True]
    assert first.matches[1].caption == "hit 3: Audi A4"
    assert first.matches[1].similarity == HITS.scores[0, 2]
    assert int(second.image[0, 0, 0]) // 10 == 1
    assert [int(match.image[0, 0, 0]) // 10 for match in second.matches] == [4, 2]
    assert second.matches[1].caption == "hit > 4: Audi A6"
    assert np.isnan(second.matches[1].similarity)


def test_only_as_many_confusions_are_shown_as_asked() -> None:
    two, one = (found_confusions(shown_queries=shown)[1].height for shown in (5, 1))
    assert one < two < 2 * one


def test_attributes_are_those_that_the_lists_know() -> None:
    first = ranking([[0, 1, 2, 3]] * 6)
    valid = per_query(first, labels(GALLERY), labels(GALLERY), k=2, ks=(1,))
    test = per_query(HITS, labels(QUERIES), labels(GALLERY), k=2, ks=(1,))
    table, _ = diagnosis.score_attributes(
        valid, test, GALLERY, QUERIES, GALLERY, evaluation_params(k=2)
    )
    counts = table.groupby(["split", "attribute"], sort=False)["queries"].sum()
    assert counts["valid"].to_dict() == {
        "domain": 6,
        "viewpoint": 5,
        "year": 5,
        "make": 6,
        "model": 6,
    }
    assert counts["test"].to_dict() == {"domain": 2, "make": 2, "model": 2}
    values = table.groupby("attribute")["value"].unique().map(set)
    assert values["viewpoint"] == {"front", "front-side", "9"}
    assert values["make"] == {"Audi", "8"}  # a make without a name is its number
    assert values["model"] == {"Audi A4", "Audi A6", "class 3"}
    audi = table.set_index(["split", "attribute", "value"]).loc[("valid", "make", "Audi")]
    assert audi["R@1"] == 0.5  # photo 0 is first for all: right for two of four


@pytest.fixture
def described(tmp_path: Path) -> tuple[Matrix, Matrix]:
    """Descriptors of the queries and of the gallery."""
    rng = np.random.default_rng(0)
    for name, rows in (("q", 2), ("g", 6)):
        vectors = rng.normal(size=(rows, 8)).astype(np.float32)
        about = {"encoder": {"w": "1"}, "photos": f"of {name}"}
        write_matrix(tmp_path / f"{name}.npy", MatrixStream([vectors], about))
    return Matrix(tmp_path / "q.npy"), Matrix(tmp_path / "g.npy")


def test_the_map_knows_each_of_its_photos(described: tuple[Matrix, Matrix]) -> None:
    photos, params = (labels(QUERIES), labels(GALLERY), GALLERY), evaluation_params()
    table, figure = diagnosis.map_descriptors(*described, *photos, params)
    assert table[["side", "Index", "Class"]].to_numpy().tolist() == [
        *(["query", row, class_] for row, class_ in labels(QUERIES).items()),
        *(["gallery", row, class_] for row, class_ in labels(GALLERY).items()),
    ]
    assert np.isfinite(table[["x", "y"]]).all(axis=None)
    named = {text.get_text() for text in figure.axes[0].texts}
    assert named == {"Audi A4", "Audi A6"}  # class 3 is not queried
    again, _ = diagnosis.map_descriptors(*described, *photos, params)
    assert table.equals(again)


def calibrated(
    gallery: Matrix, valid: RetrievalResult, queries: pd.Series, rate: float, **params: object
) -> dict[str, Any]:
    given = evaluation_params(false_match_rate=rate, **params)
    test_queries = pd.Series([1, 9])  # of class 9 there is no photo
    result, _ = diagnosis.calibrate_no_match(
        open_set(valid, queries, labels(GALLERY), self_in_gallery=True),
        open_set(HITS, test_queries, labels(GALLERY)),
        queries,
        labels(GALLERY),
        gallery,
        given,
    )
    return result


def test_the_threshold_goes_with_its_encoder_and_is_checked_on_test(
    described: tuple[Matrix, Matrix],
) -> None:
    valid = ranking([[0, 2, 4, 1], [0, 1, 2, 3]])  # others at 0.633 (after a right one) and .367
    result = calibrated(described[1], valid, pd.Series([1, 1]), 0.5)
    assert result["encoder"] == {"w": "1"}
    assert result["photos"] == "of g"
    assert result["validated_by"] == "image"
    assert result["false_match_rate"] == 0.5
    assert result["threshold"] == np.nextafter(valid.scores[1, 2], np.float32(1))
    assert result["splits"]["valid"]["FPIR"] == 0.5
    assert result["splits"]["valid"]["TPIR"] == 1
    test = result["splits"]["test"]
    assert (test["mated"], test["unknown"]) == (1, 1)
    assert (test["FPIR"], test["FPIR_unknown"], test["TPIR"]) == (1, 1, 0)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_a_validation_photo_alone_in_its_class_is_not_mated(
    described: tuple[Matrix, Matrix],
) -> None:
    alone, hits = pd.Series([1, 2, 2]), ranking([[1, 2], [2, 0], [1, 0]])
    valid = open_set(hits, alone, alone, self_in_gallery=True)
    test = open_set(HITS, pd.Series([1, 9]), pd.Series([1, 2, 2, 2, 3, 3]))
    result, _ = diagnosis.calibrate_no_match(
        *(valid, test, alone, alone, described[1]), evaluation_params(false_match_rate=0.5)
    )
    assert result["validated_by"] == "class"
    valid = result["splits"]["valid"]
    assert (valid["queries"], valid["mated"], valid["unknown"], valid["R@1"]) == (3, 2, 1, 1)


def test_false_matches_are_counted_in_the_whole_gallery(tmp_path: Path) -> None:
    """Query 0 is of class 1; the split has photos 1 and 2, the whole gallery photo 3 as well."""
    angles = np.radians([0, 10, 40, 20])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    write_matrix(tmp_path / "g.npy", vectors)
    photos = pd.DataFrame({"Index": range(4), "Class": [1, 1, 2, 3]})
    query, gallery = labels(photos)[:1], labels(photos)[1:3]
    hits = RetrievalResult(np.array([0]), np.array([[1, 2]]), np.float32([[0.98, 0.77]]))
    found = diagnosis.find_valid_open_set(
        *(hits, query, gallery, Matrix(tmp_path / "g.npy"), photos), evaluation_params()
    )
    assert found.mated.tolist() == [np.float32(0.98)]
    assert found.right.tolist() == [True]
    assert found.non_mated == pytest.approx(np.cos(np.radians([20])))


def test_the_threshold_says_which_re_ranking_made_its_similarities(
    described: tuple[Matrix, Matrix],
) -> None:
    valid = ranking([[0, 2, 4, 1], [0, 1, 2, 3]])
    given = described[1], valid, pd.Series([1, 1]), 0.5
    assert calibrated(*given)["reranking"] is None
    kind = {"kind": "kreciprocal", "k1": 9}
    said = calibrated(*given, reranking=kind)["reranking"]
    assert said | kind == said
    assert json.loads(json.dumps(said)) == said


def test_too_few_validation_photos_for_the_rate_are_named(
    described: tuple[Matrix, Matrix], caplog: pytest.LogCaptureFixture
) -> None:
    valid = ranking([[0, 2, 4, 1], [0, 1, 2, 3]])
    result = calibrated(described[1], valid, pd.Series([1, 1]), 0.01)
    assert result["splits"]["valid"]["FPIR"] == 0
    assert "2 validation photos" in caplog.text
    assert "0.01" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        calibrated(described[1], valid, pd.Series([1, 1]), 0.5)
    assert not caplog.messages


def test_the_report_says_what_the_threshold_does(described: tuple[Matrix, Matrix]) -> None:
    valid = ranking([[0, 2, 4, 1], [0, 1, 2, 3]])
    measured = json.loads(json.dumps(calibrated(described[1], valid, pd.Series([1, 1]), 0.5)))

    def section(**changes: str) -> Section:
        given = measured | changes, described[1], *[b""] * 5, evaluation_params()
        return write_diagnosis(*given)[0]

    rates = section().table
    assert rates is not None
    assert rates["split"].tolist() == ["valid", "test"]
    assert rates["FPIR_unknown"].dtype == float  # null, where no query is unknown, included
    assert "0.3667" in section().text
    assert "validate_by: class" in section().text
    unseen = section(validated_by="class").text
    assert "unseen classes" in unseen
