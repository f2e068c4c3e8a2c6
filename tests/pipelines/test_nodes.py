"""What the nodes add to the craft: choices, refusals, batches."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from car_retrieval.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.params import DataParams, EncodingParams, EvaluationParams, TrainingParams
from car_retrieval.pipeline_registry import register_pipelines
from car_retrieval.pipelines.data_processing import nodes as data
from car_retrieval.pipelines.encoding import nodes as encoding
from car_retrieval.pipelines.evaluation import nodes as evaluation
from car_retrieval.pipelines.training import nodes as training


def test_the_main_job_needs_only_photos_and_parameters() -> None:
    inputs = register_pipelines()["__default__"].inputs()
    assert {name for name in inputs if not name.startswith("params:")} == {
        "web_nature",
        "web_images",
        "surveillance_nature",
        "surveillance_images",
        "previous_checkpoints",
    }


def descriptors(path: Path, rows: int, signature: str) -> Matrix:
    rng = np.random.default_rng(rows)
    vectors = rng.normal(size=(rows, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    write_matrix(path, MatrixStream([vectors], {"weights": signature}))
    return Matrix(path)


def labels(rows: int) -> pd.Series:
    return pd.Series(np.arange(rows) % 5, index=pd.Index(np.arange(rows), name="Index"))


def test_search_refuses_descriptors_of_another_model(tmp_path: Path) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    queries = descriptors(tmp_path / "q.npy", 7, "other")
    with pytest.raises(ValueError, match="were not encoded alike"):
        evaluation.search(queries, gallery, labels(7), labels(50), EvaluationParams())


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_search_of_chosen_rows_equals_a_naive_ranking(tmp_path: Path, batch_size: int) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    queries = descriptors(tmp_path / "q.npy", 7, "one")
    params = EvaluationParams(k=5, recall_at=[1, 5], batch_size=batch_size)
    query_labels, gallery_labels = labels(7).iloc[[5, 1, 2]], labels(50).iloc[::2]
    result = evaluation.search(queries, gallery, query_labels, gallery_labels, params)
    chosen = gallery_labels.index.to_numpy()
    scores = queries[:][[5, 1, 2]] @ gallery[:][chosen].T
    expected = chosen[np.argsort(-scores, axis=1)]
    assert result.query_ids.tolist() == [5, 1, 2]
    np.testing.assert_array_equal(result.hits, expected[:, : result.depth])


def test_no_queries_still_give_a_summary(tmp_path: Path) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    none, params = labels(0), EvaluationParams(k=5)
    hits = evaluation.search(gallery, gallery, none, labels(50), params)
    pairs = evaluation.compare_pairs(gallery, gallery, none, labels(50), params)
    by_query, by_class, metrics = evaluation.score(hits, pairs, none, labels(50), params)
    evaluation.draw_curves(by_query, by_class, pairs)
    summary = evaluation.summarise_metrics(test_all=metrics)
    assert summary["queries"].tolist() == [0]
    assert summary["mAP@5"].isna().all()


@pytest.fixture
def surveillance() -> tuple[pd.DataFrame, dict[str, bytes]]:
    import io

    from PIL import Image

    files = {}
    for number in range(4):
        buffer = io.BytesIO()
        Image.new("RGB", (20, 10), (number, 0, 0)).save(buffer, "PNG")
        files[f"{number}.png"] = buffer.getvalue()
    table = pd.DataFrame({"Path": list(files), "Class": 3, "List": ["train", "test"] * 2})
    return table.assign(Problem=""), files


def test_queries_of_the_test_list(surveillance: tuple[pd.DataFrame, dict[str, bytes]]) -> None:
    table, files = surveillance
    photos, labels_, problems = data.select_queries(table, files, DataParams(queries="test"))
    assert photos["Path"].tolist() == ["1.png", "3.png"]
    assert labels_.tolist() == [[0, 3], [1, 3]]
    assert problems.empty
    with pytest.raises(ValueError, match="surveillance lists"):
        data.select_queries(table.drop(columns="List"), files, DataParams(queries="test"))


def test_a_missing_file_is_left_out_and_too_many_stop_the_run(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    del files["2.png"]
    photos, labels_, problems = data.select_queries(
        table, files, DataParams(max_rejected_fraction=0.5)
    )
    assert photos["Index"].tolist() == [0, 1, 2]
    assert len(labels_) == 3
    assert problems["Path"].tolist() == ["2.png"]
    with pytest.raises(ValueError, match=r"max_rejected_fraction.*2\.png: file not found"):
        data.select_queries(table, files, DataParams(max_rejected_fraction=0.1))


def test_photos_that_the_list_rejects_count_as_well(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    table.loc[1, "Problem"] = "gone"
    allowed = DataParams(max_rejected_fraction=0.25)
    photos, _, problems = data.select_queries(table, files, allowed)
    assert photos["Path"].tolist() == ["0.png", "2.png", "3.png"]
    assert problems.to_dict("records") == [
        {"Path": "1.png", "Problem": "gone", "Action": "left out"}
    ]
    message = r"^1 of 4 photos .*max_rejected_fraction = 0\.2 .* is 1\.png: gone$"
    with pytest.raises(ValueError, match=message):
        data.select_queries(table, {}, DataParams(max_rejected_fraction=0.2))

    # 1 of 4 is gone and 1 of the other 3 cannot be read: neither alone exceeds 0.4, both do.
    files["2.png"] = b"no picture"
    with pytest.raises(ValueError, match=r"^2 of 4 photos .* is 1\.png: gone$"):
        data.select_queries(table, files, DataParams(max_rejected_fraction=0.4))


def test_web_photos_without_labels_are_a_share_of_all_listed(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    views = pd.Series([1, None, 2, 2], dtype="Int64")
    web = table.assign(**{"View Point": views, "Problem": ["", "label file not found", "", ""]})
    photos, rear, problems = data.select_gallery(web, files, DataParams(max_rejected_fraction=0.25))
    assert (photos["Path"].tolist(), rear["Path"].tolist()) == (["0.png"], ["2.png", "3.png"])
    assert problems["Path"].tolist()[0] == "1.png"
    with pytest.raises(ValueError, match=r"^1 of 4 .* is 1\.png: label file not found$"):
        data.select_gallery(web, {}, DataParams(max_rejected_fraction=0.2))
    # Rear photos, which are not read, do not dilute the share of those that cannot be.
    web = web.assign(**{"View Point": pd.Series([1, 1, 2, 2], dtype="Int64"), "Problem": ""})
    files["1.png"] = b"no picture"
    with pytest.raises(ValueError, match=r"^1 of 2 .* is 1\.png"):
        data.select_gallery(web, files, DataParams(max_rejected_fraction=0.4))


def test_all_labels_missing_is_said_before_that_no_view_fits(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    views = pd.Series([None] * 4, dtype="Int64")
    web = table.assign(**{"View Point": views, "Problem": "label file not found"})
    with pytest.raises(ValueError, match=r"^4 of 4 .* is 0\.png: label file not found$"):
        data.select_gallery(web, files, DataParams(max_rejected_fraction=1))


def test_empty_lists_say_which(surveillance: tuple[pd.DataFrame, dict[str, bytes]]) -> None:
    table, files = surveillance
    with pytest.raises(ValueError, match="no gallery photo: the list is empty"):
        data.select_gallery(table[:0], files, DataParams())
    with pytest.raises(ValueError, match="no query photo: the list is empty"):
        data.select_queries(table[:0], files, DataParams())


def test_the_test_list_is_missing(surveillance: tuple[pd.DataFrame, dict[str, bytes]]) -> None:
    table, files = surveillance
    with pytest.raises(ValueError, match=r"queries: test needs .* test_surveillance\.txt .* all$"):
        data.select_queries(table.assign(List=""), files, DataParams(queries="test"))


def test_twins_across_classes_are_reported_and_stay_in_the_gallery(
    caplog: pytest.LogCaptureFixture,
) -> None:
    photos = pd.DataFrame(
        {"Path": ["a", "b"], "Class": [1, 2], "Hash": ["x", "x"], "Index": [0, 1]}
    )
    queries = pd.DataFrame({"Path": ["q"], "Class": [9], "Hash": ["x"], "Index": [0]})
    found = pd.DataFrame({"Path": ["a", "b"], "Problem": "same photo", "Action": "gallery only"})
    table, report = data.report_problems(photos, queries, found, found.iloc[:0])
    assert table["Path"].tolist() == ["a", "b", "q"]
    assert table.iloc[2].tolist() == ["queries", "q", "also in the gallery", "kept"]
    assert report["gallery"]["problems"] == {"same photo": 2}
    assert report["queries"]["photos without a class in the gallery"] == 1
    key = "photos that are also in the gallery"
    assert report["queries"][key] == 1
    (warning,) = caplog.messages
    assert warning.startswith("1 of 1 query photos")
    assert f"'{key}' in data_report" in warning

    caplog.clear()
    table, report = data.report_problems(
        photos, queries.assign(Hash="y"), found.iloc[:0], found.iloc[:0]
    )
    assert table.empty
    assert report["queries"][key] == 0
    assert not caplog.messages


def test_an_epoch_that_was_not_saved_cannot_encode() -> None:
    with pytest.raises(ValueError, match=r"encoding\.checkpoint = 7: .* epochs 0, 1"):
        encoding.choose_encoder(None, {0: {}, 1: {}}, EncodingParams(checkpoint=7))  # type: ignore


@pytest.mark.parametrize(
    ("start", "epochs", "message"),
    [(3, 9, "there are checkpoints of: 0, 1"), (1, 2, "nothing is left to train")],
)
def test_resuming_where_nothing_is(start: int, epochs: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        training._start_epoch({0: {}, 1: {}}, TrainingParams(start_epoch=start, epochs=epochs))  # type: ignore


def test_descriptors_older_than_the_lists_are_refused(tmp_path: Path) -> None:
    vectors = descriptors(tmp_path / "g.npy", 50, "one")
    with pytest.raises(ValueError, match="50 descriptors for photos up to 59"):
        evaluation.search(vectors, vectors, labels(5), labels(60), EvaluationParams())
