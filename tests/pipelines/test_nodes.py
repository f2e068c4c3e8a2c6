"""What the nodes add to the craft: choices, refusals, batches."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder, encode
from car_retrieval.models.whitening import Whitening, fit_whitening
from car_retrieval.params import (
    DataParams,
    EncodingParams,
    EvaluationParams,
    TrainingParams,
    WhiteningParams,
)
from car_retrieval.pipeline_registry import register_pipelines
from car_retrieval.pipelines.data_processing import nodes as data
from car_retrieval.pipelines.encoding import nodes as encoding
from car_retrieval.pipelines.evaluation import nodes as evaluation
from car_retrieval.pipelines.evaluation import report
from car_retrieval.pipelines.training import nodes as training
from car_retrieval.search.expansion import expansion
from car_retrieval.search.gallery import Gallery
from car_retrieval.search.kreciprocal import KReciprocal


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
    attributes = {"encoder": {"weights": signature}, "photos": digest(photos(rows))}
    write_matrix(path, MatrixStream([vectors], attributes))
    return Matrix(path)


def photos(rows: int) -> pd.DataFrame:
    table = pd.DataFrame({"Path": [f"{row}.jpg" for row in range(rows)], "Index": range(rows)})
    looks = [f"{row:02x}" * 8 for row in range(rows)]
    return table.assign(Hash=table["Path"], DHash=looks, Class=table["Index"] % 5)


SPLIT = photos(10).assign(split="train")


def changed(table: pd.DataFrame, column: str, value: object = "new") -> pd.DataFrame:
    """As many photos, of which one is another."""
    table = table.copy()
    table.loc[table.index[-1], column] = value
    return table


def labels(rows: int) -> pd.Series:
    return photos(rows).set_index("Index")["Class"]


def test_search_refuses_descriptors_of_another_model(tmp_path: Path) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    queries = descriptors(tmp_path / "q.npy", 7, "other")
    with pytest.raises(ValueError, match="were not encoded alike"):
        evaluation.search(
            queries, gallery, photos(7), photos(50), labels(7), labels(50), EvaluationParams()
        )


@pytest.mark.parametrize("node", [evaluation.search, evaluation.compare_pairs])
@pytest.mark.parametrize("column", ["Path", "Hash"])
@pytest.mark.parametrize("side", ["q", "g"])
def test_descriptors_of_another_list_are_refused(
    tmp_path: Path, node: Callable, column: str, side: str
) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    queries = descriptors(tmp_path / "q.npy", 7, "one")
    lists = {"q": photos(7), "g": photos(50)}
    rest = labels(7), labels(50), EvaluationParams()
    node(queries, gallery, *lists.values(), *rest)
    lists[side] = changed(lists[side], column)
    with pytest.raises(ValueError, match=rf"^{side}\.npy describes another list .* encoding again"):
        node(queries, gallery, *lists.values(), *rest)


@pytest.mark.parametrize(("column", "value"), [("Path", "new"), ("Hash", "new"), ("Class", 9)])
def test_a_split_of_another_list_does_not_choose_the_queries(column: str, value: object) -> None:
    gallery = photos(10)
    split = gallery.assign(split=["train", "valid"] * 5)
    queries, searched = evaluation.select_valid(split, gallery)
    assert (len(queries), len(searched)) == (5, 5)
    with pytest.raises(ValueError, match=r"split was made from another .* data_processing again"):
        evaluation.select_valid(split, changed(gallery, column, value))


@pytest.mark.parametrize("column", ["Index", "Class"])
def test_test_set_of_another_list_is_refused(tmp_path: Path, column: str) -> None:
    table = photos(7)
    write_matrix(tmp_path / "test.npy", table[["Index", "Class"]].to_numpy(np.int64))
    query_classes = Matrix(tmp_path / "test.npy")
    queries, _ = evaluation.select_test(query_classes, table, photos(50), SPLIT, EvaluationParams())
    assert queries.equals(labels(7))
    for other in (changed(table, column, 99), table[:6]):
        with pytest.raises(ValueError, match=r"query_classes .* data_processing again"):
            evaluation.select_test(query_classes, other, photos(50), SPLIT, EvaluationParams())


PACKING = {"size": 32, "fill": "mean", "crop": "none"}


@pytest.fixture
def packed(tmp_path: Path) -> Matrix:
    """Images of ten photos."""
    blocks = [np.zeros((10, 3, 32, 32), np.uint8)]
    attributes = {"photos": digest(photos(10)), "packing": PACKING}
    write_matrix(tmp_path / "i.npy", MatrixStream(blocks, attributes))
    return Matrix(tmp_path / "i.npy")


@pytest.fixture(scope="module")
def model() -> DescriptorNet:
    return DescriptorNet(DescriptorConfig("resnet18", 8, 32))


@pytest.mark.parametrize("column", ["Path", "Hash"])
def test_images_of_another_list_are_not_encoded(
    packed: Matrix, model: DescriptorNet, column: str
) -> None:
    params = EncodingParams(scales=[0.5, 1.0], flip=True)
    stream = encoding.encode_images(packed, photos(10), model, {}, Whitening(), params)
    encoder = Encoder(model, [0.5, 1.0], flip=True)
    assert stream.attributes == {
        "encoder": encoder.signature() | {"whitening": None, "packing": PACKING},
        "photos": packed.attributes["photos"],
        "checkpoint": "best",
    }
    other = changed(photos(10), column)
    with pytest.raises(ValueError, match=r"^i\.npy was packed .* data_processing again"):
        encoding.encode_images(packed, other, model, {}, Whitening(), params)
    split = other.assign(split="train")
    params = EncodingParams(whitening=WhiteningParams(kind="pca"))
    with pytest.raises(ValueError, match=r"^i\.npy was packed .* data_processing again"):
        encoding.learn_whitening(packed, split, model, {}, params)


class TestWhitening:
    PCA = EncodingParams(whitening=WhiteningParams(kind="pca", dimension=3))
    SPLIT = photos(10).assign(split=["train"] * 7 + ["valid"] * 2 + ["excluded"])

    @pytest.fixture
    def packed(self, tmp_path: Path) -> Matrix:
        """Noise images of ten photos."""
        pixels = np.random.default_rng(0).integers(0, 256, (10, 3, 32, 32), np.uint8)
        write_matrix(tmp_path / "i.npy", MatrixStream([pixels], {"photos": digest(photos(10))}))
        return Matrix(tmp_path / "i.npy")

    def test_it_is_fitted_to_training_photos_only(
        self, packed: Matrix, model: DescriptorNet
    ) -> None:
        whitening = encoding.learn_whitening(packed, self.SPLIT, model, {}, self.PCA)
        described = np.concatenate(list(encode(Encoder(model), packed)))
        wanted = fit_whitening(described[:7], np.arange(7) % 5, "pca", 3)
        assert whitening.projection is not None
        np.testing.assert_allclose(whitening.projection.mean, wanted.mean, atol=1e-5)
        stream = encoding.encode_images(packed, photos(10), model, {}, whitening, self.PCA)
        found = np.concatenate(list(stream.blocks))
        np.testing.assert_allclose(found, whitening(described), atol=1e-3)
        assert found.shape == (10, 3)
        assert stream.attributes["encoder"]["whitening"] == whitening.fingerprint()

    def test_a_seeded_sample_of_them(self, packed: Matrix, model: DescriptorNet) -> None:
        def fitted(**settings: int) -> str | None:
            own = WhiteningParams(kind="pca", dimension=3, photos=5, **settings)
            params = EncodingParams(whitening=own)
            return encoding.learn_whitening(packed, self.SPLIT, model, {}, params).fingerprint()

        assert fitted(seed=1) == fitted(seed=1)
        assert len({fitted(seed=seed) for seed in range(4)}) > 1

    def test_another_encoder_or_other_settings_do_not_take_it(
        self, packed: Matrix, model: DescriptorNet
    ) -> None:
        whitening = encoding.learn_whitening(packed, self.SPLIT, model, {}, self.PCA)
        assert self.PCA.whitening is not None
        power = self.PCA.whitening.model_copy(update={"power": 0.5})
        for changes in ({"flip": True}, {"whitening": None}, {"whitening": power}):
            params = self.PCA.model_copy(update=changes)
            with pytest.raises(ValueError, match=r"^the whitening was fitted to another encoder"):
                encoding.encode_images(packed, photos(10), model, {}, whitening, params)
        with pytest.raises(ValueError, match=r"^the whitening was fitted to another encoder"):
            encoding.encode_images(packed, photos(10), model, {}, Whitening(), self.PCA)

    def test_too_few_photos_are_named_with_the_parameter(
        self, packed: Matrix, model: DescriptorNet
    ) -> None:
        params = EncodingParams(whitening=WhiteningParams(kind="learnt"))
        message = r"^encoding\.whitening: learnt: 7 photos of 5 classes do not vary in all 8 dim"
        with pytest.raises(ValueError, match=message):
            encoding.learn_whitening(packed, self.SPLIT, model, {}, params)


@pytest.mark.parametrize("column", ["Path", "Hash"])
def test_images_and_split_of_different_lists_do_not_train(packed: Matrix, column: str) -> None:
    params = TrainingParams(dimension=8)
    split = photos(10).assign(split=["train"] * 5 + ["valid"] * 5)
    pairs = np.array([(5, 0, 1), (5, 1, 0)])
    training.train(packed, split, pairs, {}, params)  # type: ignore
    with pytest.raises(ValueError, match=r"^gallery_images and split .* data_processing again"):
        training.train(packed, changed(split, column), pairs, {}, params)  # type: ignore


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_search_of_chosen_rows_equals_a_naive_ranking(tmp_path: Path, batch_size: int) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    queries = descriptors(tmp_path / "q.npy", 7, "one")
    params = EvaluationParams(k=5, recall_at=[1, 5], batch_size=batch_size)
    query_labels, gallery_labels = labels(7).iloc[[5, 1, 2]], labels(50).iloc[::2]
    result = evaluation.search(
        queries, gallery, photos(7), photos(50), query_labels, gallery_labels, params
    )
    chosen = gallery_labels.index.to_numpy()
    scores = queries[:][[5, 1, 2]] @ gallery[:][chosen].T
    expected = chosen[np.argsort(-scores, axis=1)]
    assert result.query_ids.tolist() == [5, 1, 2]
    np.testing.assert_array_equal(result.hits, expected[:, : result.depth])


EXPANSION = {"kind": "expansion", "query_k": 3, "database_k": 2, "alpha": 1}
KRECIPROCAL = {"kind": "kreciprocal", "k1": 4, "k2": 2, "weight": 0.4, "candidates": 8}


@pytest.mark.parametrize("batch_size", [2, 100])
@pytest.mark.parametrize("reranking", [EXPANSION, KRECIPROCAL])
def test_hits_are_those_of_the_reranking_that_is_asked_for(
    tmp_path: Path, reranking: dict, batch_size: int
) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    queries = descriptors(tmp_path / "q.npy", 7, "one")
    params = EvaluationParams(k=5, reranking=reranking, batch_size=batch_size)
    rows = labels(50).iloc[::-2]
    given = (queries, gallery, photos(7), photos(50), labels(7), rows)
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
    plain = evaluation.search(*given, EvaluationParams(k=5))
    assert (found.hits != plain.hits).any()


@pytest.mark.parametrize("reranking", [None, EXPANSION, KRECIPROCAL])
def test_no_queries_still_give_a_summary(tmp_path: Path, reranking: dict | None) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    none, params = labels(0), EvaluationParams(k=5, reranking=reranking)
    both = (gallery, gallery, photos(50), photos(50))
    hits = evaluation.search(*both, none, labels(50), params)
    pairs = evaluation.compare_pairs(*both, none, labels(50), params)
    by_query, by_class, metrics = evaluation.score(
        hits, pairs, gallery, gallery, none, labels(50), SPLIT, params
    )
    evaluation.draw_curves(by_query, by_class, pairs)
    summary = report.summarise_metrics(test_all=metrics)
    assert summary["queries"].tolist() == [0]
    assert summary["mAP@5"].isna().all()
    some = metrics | {"queries": 3}
    summary = report.summarise_metrics(test_all=some, test_filtered=metrics)
    assert summary["protocol"].tolist() == ["all"]


def test_one_class_in_the_gallery_still_gives_scores(tmp_path: Path) -> None:
    gallery = descriptors(tmp_path / "g.npy", 50, "one")
    queries, only, params = labels(7), labels(50), EvaluationParams(k=5)
    queries[:], only[:] = 3, 3
    both = (gallery, gallery, photos(50), photos(50))
    hits = evaluation.search(*both, queries, only, params)
    pairs = evaluation.compare_pairs(*both, queries, only, params)
    by_query, by_class, metrics = evaluation.score(
        hits, pairs, gallery, gallery, queries, only, SPLIT, params
    )
    evaluation.draw_curves(by_query, by_class, pairs)
    assert metrics["R@1"] == 1


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
    del files["3.png"]
    with pytest.raises(ValueError, match=r"max_rejected_fraction.*2\.png: file not found; 3\.png"):
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
    message = r"^2 of 4 photos .*max_rejected_fraction = 0\.2 .*: 1\.png: gone; 3\.png: gone$"
    gone = table.assign(Problem=["", "gone"] * 2)
    with pytest.raises(ValueError, match=message):
        data.select_queries(gone, {}, DataParams(max_rejected_fraction=0.2))

    # 1 of 4 is gone and 1 of the other 3 cannot be read: neither alone exceeds 0.4, both do.
    files["2.png"] = b"no picture"
    with pytest.raises(ValueError, match=r"^2 of 4 photos .*: 1\.png: gone; 2\.png: .+$"):
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
    lost = web.assign(Problem=["", "label file not found"] * 2)
    with pytest.raises(ValueError, match=r"^2 of 4 .*: 1\.png: label file not found; 3\.png"):
        data.select_gallery(lost, {}, DataParams(max_rejected_fraction=0.2))
    # Rear photos, which are not read, do not dilute the share of those that cannot be.
    web = web.assign(**{"View Point": pd.Series([1, 1, 1, 2], dtype="Int64"), "Problem": ""})
    files |= {"1.png": b"no picture", "2.png": b"no picture"}
    with pytest.raises(ValueError, match=r"^2 of 3 .*: 1\.png"):
        data.select_gallery(web, files, DataParams(max_rejected_fraction=0.4))


def test_all_labels_missing_is_said_before_that_no_view_fits(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    views = pd.Series([None] * 4, dtype="Int64")
    web = table.assign(**{"View Point": views, "Problem": "label file not found"})
    with pytest.raises(ValueError, match=r"^4 of 4 .*: 0\.png: label file not found; 1"):
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
    ).assign(DHash="f" * 16)
    queries = pd.DataFrame({"Path": ["q"], "Class": [9], "Hash": ["x"], "Index": [0]})
    queries["DHash"] = "f" * 16
    found = pd.DataFrame({"Path": ["a", "b"], "Problem": "same photo", "Action": "gallery only"})
    table, report = data.report_problems(
        photos, queries, found, found.iloc[:0], DataParams(), EvaluationParams()
    )
    assert table["Path"].tolist() == ["a", "b", "q"]
    assert table.iloc[2].tolist() == ["queries", "q", "also in the gallery", "kept"]
    assert report["gallery"]["problems"] == {"same photo": 2}
    assert report["queries"]["photos without a class in the gallery"] == 1
    key = "photos that are also in the gallery"
    assert report["queries"][key] == 1
    warning, unmatched = caplog.messages
    assert unmatched.startswith("no query photo is of a class in the gallery")
    assert warning.startswith("1 of 1 query photos")
    assert f"'{key}' in data_report" in warning

    caplog.clear()
    other = queries.assign(Hash="y", DHash="0" * 16, Class=2)
    table, report = data.report_problems(
        photos, other, found.iloc[:0], found.iloc[:0], DataParams(), EvaluationParams()
    )
    assert table.empty
    assert report["queries"][key] == 0
    assert not caplog.messages


@pytest.mark.parametrize(
    ("start", "epochs", "message"),
    [(3, 9, "there are checkpoints of: 0, 1"), (1, 2, "nothing is left to train")],
)
def test_resuming_where_nothing_is(start: int, epochs: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        training._start_epoch({0: {}, 1: {}}, TrainingParams(start_epoch=start, epochs=epochs))  # type: ignore


def test_resuming_from_an_epoch_without_its_optimiser() -> None:
    previous = {0: {}, 1: {"optimizer": {}}, 2: {}}
    latest = TrainingParams(start_epoch="latest", epochs=9)
    assert training._start_epoch(previous, latest) == 1  # type: ignore
    with pytest.raises(ValueError, match=r"start_epoch = 0: only epoch 1 of the newest run can"):
        training._start_epoch(previous, TrainingParams(start_epoch=0, epochs=9))  # type: ignore
    assert training._start_epoch({}, latest) == -1


def by_class(**changes: object) -> DataParams:
    return DataParams.model_validate({"validate_by": "class", "valid_ratio": 2} | changes)


def test_whole_classes_validate() -> None:
    gallery = photos(20)
    split, valid_for_test = data.split_photos(gallery, by_class())
    valid = split[split["split"] == "valid"]
    assert valid["Class"].nunique() == 2
    assert valid_for_test.tolist() == valid[["Index", "Class"]].to_numpy().tolist()
    pairs = data.make_valid_pairs(split, by_class())
    assert len(pairs) == 2 * len(valid)
    assert np.isin(pairs[:, :2], valid["Index"]).all()
    assert (pairs[:, 0] != pairs[:, 1]).all()
    queries, searched = evaluation.select_valid(split, gallery)
    assert queries.equals(searched)
    assert queries.to_dict() == dict(valid_for_test.tolist())


@pytest.mark.parametrize(
    ("ratio", "classes"), [(3, "leaves 4 classes to train and 1 to validate"), (9, "5 .* and 0")]
)
def test_too_few_classes_to_validate(ratio: int, classes: str) -> None:
    with pytest.raises(ValueError, match=rf"validate_by: class.*{classes}.*valid_ratio"):
        data.split_photos(photos(20), by_class(valid_ratio=ratio))


@pytest.mark.parametrize(("select_by", "epoch"), [("mAP@k", 1), ("MAP@R", 2)])
def test_the_best_epoch_is_chosen_and_drawn(select_by: str, epoch: int) -> None:
    scores = {"mAP@5": [0.1, 0.4, 0.3], "MAP@R": [0.1, 0.2, 0.3]}
    net = DescriptorNet(DescriptorConfig("resnet18", 8, 32))
    state = {"config": asdict(net.config), "model": net.state_dict(), "provenance": {}}
    checkpoints: dict = {
        n: state | {"report": {"epoch": n, "loss": 1.0} | {s: v[n] for s, v in scores.items()}}
        for n in range(3)
    }
    params = TrainingParams.model_validate({"select_by": select_by})
    history, figure = training.report_training(checkpoints, params)
    name = {"mAP@k": "mAP@5"}.get(select_by, select_by)
    assert figure.get_suptitle().startswith(f"Best {name}: {scores[name][epoch]:.3f} at epoch")
    best = training.choose_best(checkpoints, history, params)
    assert best.provenance["report"]["epoch"] == epoch


def test_training_ends_early(packed: Matrix) -> None:
    """Photos without content: no epoch is better than the first, also after a resumed one."""
    params = TrainingParams(dimension=8, epochs=5, patience=2, augmentation=None)
    split = photos(10).assign(split=["train"] * 5 + ["valid"] * 5)
    pairs = np.array([(5, 0, 1), (5, 1, 0)])
    found = {
        state["report"]["epoch"]: state
        for state in training.train(packed, split, pairs, {}, params)  # type: ignore
    }
    assert list(found) == [0, 1, 2]
    del found[2]
    again = params.model_copy(update={"start_epoch": 1})
    resumed = training.train(packed, split, pairs, found, again)  # type: ignore
    assert [state["report"]["epoch"] for state in resumed] == [0, 1, 2]


def test_photos_that_look_the_same_stay_on_one_side() -> None:
    gallery = photos(60).assign(Class=np.repeat([0, 1], 30))
    one_look = gallery["Index"].isin(range(3, 28))
    gallery.loc[one_look, "DHash"] = "0123456789abcdef"
    split, _ = data.split_photos(gallery, DataParams(valid_ratio=2, near_duplicates=0))
    assert split.loc[one_look, "split"].eq("train").all()  # 25 are more than 15
    assert (split.loc[~one_look, "split"] == "valid").sum() == 5 + 15
    apart, _ = data.split_photos(gallery, DataParams(valid_ratio=2, near_duplicates=None))
    assert (apart.loc[one_look, "split"] == "valid").any()
    gallery["DHash"] = "0123456789abcdef"
    with pytest.raises(ValueError, match=r"no photo would validate.* data_processing.valid_ratio"):
        data.split_photos(gallery, DataParams())


def test_near_duplicates_are_listed_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    gallery = photos(10).assign(DHash=[f"{row:x}" * 16 for row in range(10)])
    queries = photos(3).assign(Path=["q0", "q1", "q2"], Hash=["0.jpg", "new", "other"])
    queries["DHash"] = ["0" * 16, "1" * 15 + "3", "3" * 16]  # a copy, one bit off, another class
    none = pd.DataFrame(columns=["Path", "Problem", "Action"])
    table, report = data.report_problems(
        gallery, queries, none, none, DataParams(), EvaluationParams()
    )
    assert table["Path"].tolist() == ["q0", "q1"]
    assert table["Problem"].tolist() == ["also in the gallery", "in the gallery as another file"]
    assert report["queries"]["photos that are in the gallery as another file"] == 1
    assert len(caplog.messages) == 2


def test_packed_images_and_split_know_their_list(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    listed, _, _ = data.select_queries(table, files, DataParams())
    stream = data.pack_images(
        listed, files, DataParams(image_size=16, fill="mean"), TrainingParams(arch="resnet18")
    )
    split, _ = data.split_photos(
        listed.assign(Class=[3, 3, 4, 4]), DataParams(valid_ratio=2, near_duplicates=None)
    )
    with pytest.raises(ValueError, match="one class only: training needs two"):
        data.split_photos(listed, DataParams(valid_ratio=2))
    packing = {"size": 16, "fill": "mean", "crop": "none"}
    packing |= {"interpolation": "bilinear", "centre": None}
    assert stream.attributes == {"photos": digest(listed), "packing": packing}
    assert digest(listed) == digest(split)
    assert digest(listed) != digest(listed[::-1])


@pytest.mark.parametrize(
    ("arch", "changes", "expected"),
    [
        ("resnet18", {}, (224, "bilinear", None)),
        ("resnet18", {"fit": "centre"}, (224, "bilinear", 224 / 256)),
        ("resnet18", {"image_size": 64, "interpolation": "bicubic"}, (64, "bicubic", None)),
        ("timm/tf_efficientnet_lite2", {"fit": "centre"}, (260, "bicubic", 0.89)),
    ],
)
def test_photos_are_packed_as_the_weights_expect_them(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
    arch: str,
    changes: dict[str, object],
    expected: tuple[int, str, float | None],
) -> None:
    table, files = surveillance
    listed, _, _ = data.select_queries(table, files, DataParams())
    stream = data.pack_images(listed, files, DataParams(**changes), TrainingParams(arch=arch))
    packing = stream.attributes["packing"]
    assert (packing["size"], packing["interpolation"], packing["centre"]) == expected
    assert next(iter(stream.blocks)).shape[2:] == (expected[0], expected[0])
