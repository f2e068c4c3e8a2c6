"""What the nodes add to the craft: choices, refusals, batches."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.parameters import data_params, encoding_params, evaluation_params, training_params

from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.whitening import Whitening, fit_whitening
from car_retrieval.params import (
    DataParams,
    WhiteningParams,
)
from car_retrieval.pipelines.data_processing import nodes as data
from car_retrieval.pipelines.encoding import nodes as encoding
from car_retrieval.pipelines.evaluation import nodes as evaluation
from car_retrieval.pipelines.reporting.figures import draw_figures
from car_retrieval.pipelines.training import nodes as training
from car_retrieval.search.expansion import expansion
from car_retrieval.search.gallery import Gallery
from car_retrieval.search.kreciprocal import KReciprocal


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


def test_features_carry_what_they_were_made_with(packed: Matrix, model: DescriptorNet) -> None:
    params = encoding_params(scales=[0.5, 1.0], flip=True)
    stream = encoding.encode_images(packed, model, {}, params)
    encoder = Encoder(model, [0.5, 1.0], flip=True)
    assert stream.attributes == {
        "encoder": encoder.signature() | {"packing": PACKING},
        "photos": packed.attributes["photos"],
        "checkpoint": "best",
    }


class TestWhitening:
    PCA = encoding_params(whitening=WhiteningParams(kind="pca", dimension=3))
    SPLIT = photos(10).assign(split=["train"] * 7 + ["valid"] * 2 + ["excluded"])

    @pytest.fixture
    def features(self, tmp_path: Path) -> Matrix:
        return descriptors(tmp_path / "f.npy", 10, "one")

    def test_it_is_fitted_to_training_photos_only(self, features: Matrix) -> None:
        whitening = encoding.learn_whitening(features, self.SPLIT, self.PCA)
        wanted = fit_whitening(features[:7], np.arange(7) % 5, "pca", 3)
        assert whitening.projection is not None
        np.testing.assert_allclose(whitening.projection.mean, wanted.mean, atol=1e-6)
        stream = encoding.whiten(features, whitening, self.PCA)
        found = np.concatenate(list(stream.blocks))
        np.testing.assert_array_equal(found, whitening(features[:]))
        assert found.shape == (10, 3)
        encoder = features.attributes["encoder"] | {"whitening": whitening.fingerprint()}
        assert stream.attributes == features.attributes | {"encoder": encoder}

    def test_without_whitening_features_stay_as_they_are(self, features: Matrix) -> None:
        params = encoding_params(whitening=None)
        whitening = encoding.learn_whitening(features, self.SPLIT, params)
        stream = encoding.whiten(features, whitening, params)
        np.testing.assert_array_equal(np.concatenate(list(stream.blocks)), features[:])
        assert stream.attributes["encoder"]["whitening"] is None

    def test_a_seeded_sample_of_them(self, features: Matrix) -> None:
        def fitted(**settings: int) -> str | None:
            own = WhiteningParams(kind="pca", dimension=3, photos=5, **settings)
            params = encoding_params(whitening=own)
            return encoding.learn_whitening(features, self.SPLIT, params).fingerprint()

        assert fitted(seed=1) == fitted(seed=1)
        assert len({fitted(seed=seed) for seed in range(4)}) > 1

    @pytest.mark.parametrize(("classes", "kept"), [(5, 64), (64, 64), (70, 96)])
    def test_as_many_dimensions_as_classes_train(
        self, tmp_path: Path, classes: int, kept: int
    ) -> None:
        features, split = self.many(tmp_path, classes)
        for whitening in ({"kind": "auto"}, {"kind": "learnt", "dimension": "classes"}):
            params = encoding_params(whitening=whitening)
            fitted = encoding.learn_whitening(features, split, params)
            assert fitted(features[:3]).shape == (3, kept)

    def test_classes_that_do_not_train_want_all_dimensions(self, tmp_path: Path) -> None:
        features, split = self.many(tmp_path, 5)
        split.loc[split["split"] == "valid", "Class"] = 99
        auto, explicit = (
            encoding.learn_whitening(features, split, encoding_params(whitening=whitening))
            for whitening in ({"kind": "auto"}, {"kind": "learnt", "power": 0.5})
        )
        assert auto.fingerprint() == explicit.fingerprint()
        assert auto(features[:3]).shape == (3, 96)

    @staticmethod
    def many(folder: Path, classes: int) -> tuple[Matrix, pd.DataFrame]:
        """Features of 500 photos, of which 480 train."""
        vectors = np.random.default_rng(0).normal(size=(500, 96)).astype(np.float32)
        write_matrix(folder / "m.npy", MatrixStream([vectors], {"encoder": {}}))
        split = photos(500).assign(split=["train"] * 480 + ["valid"] * 20)
        split["Class"] = split["Index"] % classes
        return Matrix(folder / "m.npy"), split

    def test_few_photos_are_left_as_they_are(self, features: Matrix) -> None:
        params = encoding_params(whitening={"kind": "auto"})
        whitening = encoding.learn_whitening(features, self.SPLIT, params)
        stream = encoding.whiten(features, whitening, params)
        np.testing.assert_array_equal(np.concatenate(list(stream.blocks)), features[:])

    def test_another_encoder_or_other_settings_do_not_take_it(
        self, features: Matrix, tmp_path: Path
    ) -> None:
        whitening = encoding.learn_whitening(features, self.SPLIT, self.PCA)
        assert self.PCA.whitening is not None
        power = self.PCA.whitening.model_copy(update={"power": 0.5})
        other = descriptors(tmp_path / "other.npy", 10, "other")
        for of, changes in (
            (other, {}),
            (features, {"whitening": None}),
            (features, {"whitening": power}),
        ):
            params = self.PCA.model_copy(update=changes)
            with pytest.raises(ValueError, match=r"^the whitening was fitted to another encoder"):
                encoding.whiten(of, whitening, params)
        with pytest.raises(ValueError, match=r"^the whitening was fitted to another encoder"):
            encoding.whiten(features, Whitening(), self.PCA)

    def test_photos_that_teach_nothing_are_named_with_the_parameter(self, features: Matrix) -> None:
        params = encoding_params(whitening=WhiteningParams(kind="learnt"))
        alone = self.SPLIT.assign(Class=self.SPLIT["Index"])
        with pytest.raises(ValueError, match=r"^encoding\.whitening: learnt: .* 7 photos"):
            encoding.learn_whitening(features, alone, params)


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


EXPANSION = {"kind": "expansion", "query_k": 3, "database_k": 2, "alpha": 1}
KRECIPROCAL = {"kind": "kreciprocal", "k1": 4, "k2": 2, "weight": 0.4, "candidates": 8}


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
    photos, problems = data.select_queries(table, files, data_params(queries="test"))
    assert photos["Path"].tolist() == ["1.png", "3.png"]
    assert photos["Index"].tolist() == [0, 1]
    assert problems.empty
    with pytest.raises(ValueError, match="surveillance lists"):
        data.select_queries(table.drop(columns="List"), files, data_params(queries="test"))


def test_a_missing_file_is_left_out_and_too_many_stop_the_run(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    del files["2.png"]
    photos, problems = data.select_queries(table, files, data_params(max_rejected_fraction=0.5))
    assert photos["Index"].tolist() == [0, 1, 2]
    assert problems["Path"].tolist() == ["2.png"]
    del files["3.png"]
    with pytest.raises(ValueError, match=r"max_rejected_fraction.*2\.png: file not found; 3\.png"):
        data.select_queries(table, files, data_params(max_rejected_fraction=0.1))


def test_photos_that_the_list_rejects_count_as_well(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    table.loc[1, "Problem"] = "gone"
    allowed = data_params(max_rejected_fraction=0.25)
    photos, problems = data.select_queries(table, files, allowed)
    assert photos["Path"].tolist() == ["0.png", "2.png", "3.png"]
    assert problems.to_dict("records") == [
        {"Path": "1.png", "Problem": "gone", "Action": "left out"}
    ]
    message = r"^2 of 4 photos .*max_rejected_fraction = 0\.2 .*: 1\.png: gone; 3\.png: gone$"
    gone = table.assign(Problem=["", "gone"] * 2)
    with pytest.raises(ValueError, match=message):
        data.select_queries(gone, {}, data_params(max_rejected_fraction=0.2))

    # 1 of 4 is gone and 1 of the other 3 cannot be read: neither alone exceeds 0.4, both do.
    files["2.png"] = b"no picture"
    with pytest.raises(ValueError, match=r"^2 of 4 photos .*: 1\.png: gone; 2\.png: .+$"):
        data.select_queries(table, files, data_params(max_rejected_fraction=0.4))


def test_web_photos_without_labels_are_a_share_of_all_listed(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    views = pd.Series([1, None, 2, 2], dtype="Int64")
    web = table.assign(**{"View Point": views, "Problem": ["", "label file not found", "", ""]})
    photos, rear, problems = data.select_gallery(
        web, files, data_params(max_rejected_fraction=0.25)
    )
    assert (photos["Path"].tolist(), rear["Path"].tolist()) == (["0.png"], ["2.png", "3.png"])
    assert problems["Path"].tolist()[0] == "1.png"
    lost = web.assign(Problem=["", "label file not found"] * 2)
    with pytest.raises(ValueError, match=r"^2 of 4 .*: 1\.png: label file not found; 3\.png"):
        data.select_gallery(lost, {}, data_params(max_rejected_fraction=0.2))
    # Rear photos, which are not read, do not dilute the share of those that cannot be.
    web = web.assign(**{"View Point": pd.Series([1, 1, 1, 2], dtype="Int64"), "Problem": ""})
    files |= {"1.png": b"no picture", "2.png": b"no picture"}
    with pytest.raises(ValueError, match=r"^2 of 3 .*: 1\.png"):
        data.select_gallery(web, files, data_params(max_rejected_fraction=0.4))


def test_all_labels_missing_is_said_before_that_no_view_fits(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    views = pd.Series([None] * 4, dtype="Int64")
    web = table.assign(**{"View Point": views, "Problem": "label file not found"})
    with pytest.raises(ValueError, match=r"^4 of 4 .*: 0\.png: label file not found; 1"):
        data.select_gallery(web, files, data_params(max_rejected_fraction=1))


def test_empty_lists_say_which(surveillance: tuple[pd.DataFrame, dict[str, bytes]]) -> None:
    table, files = surveillance
    with pytest.raises(ValueError, match="no gallery photo: the list is empty"):
        data.select_gallery(table[:0], files, data_params())
    with pytest.raises(ValueError, match="no query photo: the list is empty"):
        data.select_queries(table[:0], files, data_params())


def test_the_test_list_is_missing(surveillance: tuple[pd.DataFrame, dict[str, bytes]]) -> None:
    table, files = surveillance
    with pytest.raises(ValueError, match=r"queries: test needs .* test_surveillance\.txt .* all$"):
        data.select_queries(table.assign(List=""), files, data_params(queries="test"))


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
        photos, queries, found, found.iloc[:0], data_params(), evaluation_params()
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
        photos, other, found.iloc[:0], found.iloc[:0], data_params(), evaluation_params()
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
        training._start_epoch({0: {}, 1: {}}, training_params(start_epoch=start, epochs=epochs))  # type: ignore


def test_resuming_from_an_epoch_without_its_optimiser() -> None:
    previous = {0: {}, 1: {"optimizer": {}}, 2: {}}
    latest = training_params(start_epoch="latest", epochs=9)
    assert training._start_epoch(previous, latest) == 1  # type: ignore
    with pytest.raises(ValueError, match=r"start_epoch = 0: only epoch 1 of the newest run can"):
        training._start_epoch(previous, training_params(start_epoch=0, epochs=9))  # type: ignore
    assert training._start_epoch({}, latest) == -1


def by_class(**changes: object) -> DataParams:
    return data_params(**{"validate_by": "class", "valid_ratio": 2} | changes)


def test_whole_classes_validate() -> None:
    gallery = photos(20)
    split = data.split_photos(gallery, by_class())
    valid = split[split["split"] == "valid"]
    assert valid["Class"].nunique() == 2
    pairs = data.make_valid_pairs(split, by_class())
    assert len(pairs) == 2 * len(valid)
    assert np.isin(pairs[:, :2], valid["Index"]).all()
    assert (pairs[:, 0] != pairs[:, 1]).all()
    queries, searched, *_ = evaluation.select_valid(split, gallery, evaluation_params())
    assert queries.equals(searched)
    assert queries.to_dict() == valid.set_index("Index")["Class"].to_dict()


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
    params = training_params(select_by=select_by)
    history, figure = training.report_training(checkpoints, params)
    name = {"mAP@k": "mAP@5"}.get(select_by, select_by)
    assert figure.get_suptitle().startswith(f"Best {name}: {scores[name][epoch]:.3f} at epoch")
    best = training.choose_best(checkpoints, history, params)
    assert best.provenance["report"]["epoch"] == epoch


def test_training_ends_early(packed: Matrix) -> None:
    """Photos without content: no epoch is better than the first, also after a resumed one."""
    params = training_params(dimension=8, epochs=5, patience=2, augmentation=None)
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
    split = data.split_photos(gallery, data_params(valid_ratio=2, near_duplicates=0))
    assert split.loc[one_look, "split"].eq("train").all()  # 25 are more than 15
    assert (split.loc[~one_look, "split"] == "valid").sum() == 5 + 15
    apart = data.split_photos(gallery, data_params(valid_ratio=2, near_duplicates=None))
    assert (apart.loc[one_look, "split"] == "valid").any()
    gallery["DHash"] = "0123456789abcdef"
    with pytest.raises(ValueError, match=r"no photo would validate.* data_processing.valid_ratio"):
        data.split_photos(gallery, data_params())


def test_near_duplicates_are_listed_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    gallery = photos(10).assign(DHash=[f"{row:x}" * 16 for row in range(10)])
    queries = photos(3).assign(Path=["q0", "q1", "q2"], Hash=["0.jpg", "new", "other"])
    queries["DHash"] = ["0" * 16, "1" * 15 + "3", "3" * 16]  # a copy, one bit off, another class
    none = pd.DataFrame(columns=["Path", "Problem", "Action"])
    table, report = data.report_problems(
        gallery, queries, none, none, data_params(), evaluation_params()
    )
    assert table["Path"].tolist() == ["q0", "q1"]
    assert table["Problem"].tolist() == ["also in the gallery", "in the gallery as another file"]
    assert report["queries"]["photos that are in the gallery as another file"] == 1
    assert len(caplog.messages) == 2


def test_packed_images_and_split_know_their_list(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    listed, _ = data.select_queries(table, files, data_params())
    stream = data.pack_images(
        listed, files, data_params(image_size=16, fill="mean"), training_params(arch="resnet18")
    )
    split = data.split_photos(
        listed.assign(Class=[3, 3, 4, 4]), data_params(valid_ratio=2, near_duplicates=None)
    )
    with pytest.raises(ValueError, match="one class only: training needs two"):
        data.split_photos(listed, data_params(valid_ratio=2))
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
    listed, _ = data.select_queries(table, files, data_params())
    stream = data.pack_images(listed, files, data_params(**changes), training_params(arch=arch))
    packing = stream.attributes["packing"]
    assert (packing["size"], packing["interpolation"], packing["centre"]) == expected
    assert next(iter(stream.blocks)).shape[2:] == (expected[0], expected[0])
