"""Queries that search each other, against a plain loop over a full matrix of similarities."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from tests.parameters import data_params, evaluation_params

from car_retrieval.data.fingerprint import digest
from car_retrieval.data.known_photos import KnownPhotos
from car_retrieval.data.protocols import trained_classes
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.pipelines.data_processing.nodes import report_problems
from car_retrieval.pipelines.diagnosis.nodes import map_descriptors
from car_retrieval.pipelines.evaluation import nodes
from car_retrieval.pipelines.reporting.sections import _seen_in_training
from car_retrieval.pipelines.splits import choose_files, choose_sides

UNCHANGED = GalleryStore("unchanged")

PARAMS = evaluation_params(search_in="queries", k=5, recall_at=[1, 2, 4, 8], whole_ranking=True)
SPLIT = pd.DataFrame({"Class": [100, 101, 102], "split": ["train", "valid", "train"]})
SPLIT["Hash"] = SPLIT["Path"] = ["x", "y", "z"]
SPLIT["Index"] = range(3)
MODEL: Any = SimpleNamespace(photos=KnownPhotos.of(SPLIT))


def listed(classes: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({"Index": np.arange(len(classes)), "Class": classes})
    table["Path"] = table["Hash"] = [f"{row}.jpg" for row in range(len(classes))]
    return table.assign(DHash=[f"{row:02x}" * 8 for row in range(len(classes))])


def scored(
    folder: Path, vectors: np.ndarray, classes: np.ndarray, **changes: object
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Run the nodes as the pipeline wires them."""
    params, photos = PARAMS.model_copy(update=changes), listed(classes)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    about = {"encoder": {"weights": "one"}, "photos": digest(photos)}
    write_matrix(folder / "t.npy", MatrixStream([vectors], about))
    queries = Matrix(folder / "t.npy")
    queries, photos, gallery, searched = choose_sides(
        queries, photos, queries, photos, UNCHANGED, params
    )
    *labels, _, _, roles = nodes.select_test(photos, searched, SPLIT, MODEL, params)
    compared = queries, gallery, *labels
    hits = nodes.search(*compared, params)
    pairs, by_query, _, metrics = nodes.score(hits, *compared, roles, params)
    assert not (pairs["Query"] == pairs["Gallery"]).any()
    return by_query, metrics


def oracle(vectors: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    """Means over the photos that have another of their class."""
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    rows: list[dict[str, float]] = []
    for query, class_ in enumerate(classes):
        others = [row for row in range(len(classes)) if row != query]
        others.sort(key=lambda row: -float(vectors[query] @ vectors[row]))
        right = [classes[row] == class_ for row in others]
        if not (relevant := sum(right)):
            continue
        precision = [sum(right[: rank + 1]) / (rank + 1) for rank in range(len(right))]
        gains = [p * r for p, r in zip(precision, right, strict=True)]
        row = {f"R@{k}": float(any(right[:k])) for k in (1, 2, 4, 8)}
        row |= {"MAP@R": sum(gains[:relevant]) / relevant, "mAP": sum(gains) / relevant}
        rows.append(row | {"RP": sum(right[:relevant]) / relevant})
    return pd.DataFrame(rows).mean().to_dict()


def clouds(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors of nine classes, one of a single photo, in no order."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.append(np.arange(60) % 8, 50))
    centres = rng.normal(size=(51, 6))
    return centres[classes] + 1.2 * rng.normal(size=(61, 6)), classes


@pytest.mark.parametrize("batch_size", [7, 100])
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_a_plain_loop(tmp_path: Path, seed: int, batch_size: int) -> None:
    vectors, classes = clouds(seed)
    by_query, metrics = scored(tmp_path, vectors, classes, batch_size=batch_size)
    wanted = oracle(vectors, classes)
    assert {name: metrics[name] for name in wanted} == pytest.approx(wanted, abs=1e-6)
    assert (metrics["queries"], metrics["queries_without_match"]) == (60, 1)
    assert (metrics["gallery"], metrics["trained_classes"]) == (61, 0)
    assert by_query["Relevant"].max() == 7  # eight of a class, less the query


def test_map_of_the_whole_ranking_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    vectors, classes = clouds(0)
    by_query, metrics = scored(tmp_path, vectors, classes, whole_ranking=False)
    assert "AP" not in by_query
    assert "mAP" not in metrics


def test_both_kinds_of_gallery_are_passed_on_as_they_are() -> None:
    one, two, three, four = handles = [cast(Any, [side]) for side in range(4)]
    gallery, queries = handles[:2], handles[2:]
    for search_in, wanted in (("gallery", queries + gallery), ("queries", queries + queries)):
        params = evaluation_params(search_in=search_in)
        found = choose_sides(*handles, UNCHANGED, params)
        assert all(made is other for made, other in zip(found, wanted, strict=True))
        table = pd.DataFrame({"Path": ["a.jpg"], "Hash": ["a"]})
        files = choose_files(one, two, table, table.copy(), three, four, params)
        assert all(made is other for made, other in zip(files, wanted, strict=True))


def test_classes_that_trained_are_counted_and_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert (
        trained_classes(pd.Series([100, 100, 101, 102, 7]), SPLIT.assign(Role=SPLIT["split"])) == 2
    )
    vectors, classes = clouds(0)
    _, metrics = scored(tmp_path, vectors, classes)
    assert not caplog.messages
    _, metrics = scored(tmp_path, vectors, classes + 95)  # 95 to 102, and 145
    assert metrics["trained_classes"] == 2
    (warning,) = caplog.messages
    assert "2 of 9 classes" in warning
    summary = nodes.summarise(
        nodes.tell_roles(MODEL, SPLIT, SPLIT[:0], SPLIT), SPLIT, test_all=metrics
    )
    assert summary["trained_classes"].tolist() == [2]
    assert "2 of the 8 classes" in _seen_in_training(summary)


def test_a_map_of_one_collection_draws_each_photo_once(tmp_path: Path) -> None:
    vectors, classes = clouds(0)
    scored(tmp_path, vectors, classes)
    matrix, photos = Matrix(tmp_path / "t.npy"), listed(classes)
    labels = photos.set_index("Index")["Class"]
    table, _ = map_descriptors(matrix, matrix, labels, labels, photos, PARAMS)
    assert table["side"].unique().tolist() == ["query"]
    assert table["Index"].tolist() == list(range(61))


def test_the_data_report_warns_of_what_flatters_leave_one_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gallery, queries = listed(np.array([1, 1, 2, 2])), listed(np.array([3, 3, 4, 4]))
    queries["Path"] = queries["Hash"] = [f"q{row}" for row in range(4)]
    queries["DHash"] = [f"{row + 9:02x}" * 8 for row in range(4)]
    none = pd.DataFrame(columns=["Path", "Problem", "Action"])
    given = none, none, data_params(), PARAMS
    table, counts = report_problems(gallery, queries, *given)
    assert table.empty
    assert not caplog.messages
    twins = queries.assign(Hash=["q0", "q0", "q2", "0.jpg"])
    table, counts = report_problems(gallery, twins, *given)
    assert counts["queries"]["photos that are among the queries more than once"] == 2
    assert counts["queries"]["photos that are also in the gallery"] == 1
    assert sorted(table["Path"]) == ["q0", "q1", "q3"]
    assert len(caplog.messages) == 2
    caplog.clear()
    report_problems(gallery, queries.iloc[1:3], *given)
    (warning,) = caplog.messages
    assert "no two query photos are of one class" in warning
