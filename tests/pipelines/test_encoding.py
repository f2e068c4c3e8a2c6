"""Encoding and whitening as nodes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.parameters import encoding_params
from tests.pipelines.conftest import PACKING
from tests.pipelines.made_up import descriptors, photos

from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.whitening import Whitening, fit_whitening
from car_retrieval.params import WhiteningParams
from car_retrieval.pipelines.encoding import nodes as encoding


@pytest.fixture(scope="module")
def model() -> DescriptorNet:
    return DescriptorNet(DescriptorConfig("resnet18", 8, 32))


NONE = photos(0).assign(split="train")


def test_features_carry_what_they_were_made_with(packed: Matrix, model: DescriptorNet) -> None:
    params = encoding_params(scales=[0.5, 1.0], flip=True)
    stream = encoding.encode_images(packed, model, {}, NONE, params)
    encoder = Encoder(model, [0.5, 1.0], flip=True)
    assert stream.attributes == {
        "encoder": encoder.signature() | {"packing": PACKING},
        "photos": packed.attributes["photos"],
        "checkpoint": "best",
    }


@pytest.mark.parametrize(
    ("photos_", "classes", "changes", "head"),
    [
        (512, 32, {}, False),
        (511, 31, {}, True),
        (512, 33, {}, True),
        (512, 32, {"whitening": None}, True),
        (512, 32, {"features": "head"}, True),
        (16, 8, {"features": "pooled"}, False),
    ],
)
def test_the_head_describes_photos_unless_whitening_can_replace_it(
    packed: Matrix, model: DescriptorNet, photos_: int, classes: int, changes: dict, head: bool
) -> None:
    split = photos(photos_ + 8).assign(split=["train"] * photos_ + ["valid"] * 8)
    split["Class"] = split["Index"] % classes
    params = encoding_params(**({"features": "auto"} | changes))
    described = encoding.encode_images(packed, model, {}, split, params)
    assert described.attributes["encoder"]["projection"] == head


def test_auto_describes_an_untrained_network_as_it_is(packed: Matrix) -> None:
    net = DescriptorNet(
        DescriptorConfig("timm/tf_efficientnet_lite0", None, packed.shape[-1], projection=False)
    ).eval()
    split = photos(520).assign(split=["train"] * 512 + ["valid"] * 8)
    split["Class"] = split["Index"] % 32
    auto = encoding.encode_images(packed, net, {}, split, encoding_params(features="auto"))
    assert not auto.attributes["encoder"].get("stage", False)


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

    @pytest.mark.parametrize(("classes", "kept"), [(5, 64), (33, 96), (70, 96)])
    def test_layers_before_the_head_keep_twice_as_many(
        self, tmp_path: Path, classes: int, kept: int
    ) -> None:
        features, split = self.many(tmp_path, classes, {"projection": False})
        for whitening in ({"kind": "auto"}, {"kind": "learnt", "dimension": "twice_classes"}):
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

    @pytest.mark.parametrize(("photos_", "kept"), [(95, None), (96, 64), (400, 256)])
    def test_a_pretrained_network_wants_photos_for_its_dimensions(
        self, tmp_path: Path, photos_: int, kept: int | None
    ) -> None:
        vectors = np.random.default_rng(0).normal(size=(photos_, 300)).astype(np.float32)
        write_matrix(tmp_path / "m.npy", MatrixStream([vectors], {"encoder": {}, "untrained": "x"}))
        features, split = Matrix(tmp_path / "m.npy"), photos(photos_).assign(split="train")
        fitted = encoding.learn_whitening(features, split, encoding_params())
        assert fitted(features[:3]).shape == (3, kept or 300)
        assert (fitted.projection is None) == (kept is None)

    def test_few_photos_keep_fewer_dimensions_than_asked_for(
        self, features: Matrix, caplog: pytest.LogCaptureFixture
    ) -> None:
        params = encoding_params(whitening=WhiteningParams(kind="pca", dimension=8))
        fitted = encoding.learn_whitening(features, self.SPLIT, params)
        assert fitted(features[:3]).shape == (3, 4)
        assert "4 dimensions for 7 training photos instead of 8" in caplog.text

    @staticmethod
    def many(
        folder: Path, classes: int, encoder: dict[str, bool] | None = None
    ) -> tuple[Matrix, pd.DataFrame]:
        """Features of 500 photos, of which 480 train."""
        vectors = np.random.default_rng(0).normal(size=(500, 96)).astype(np.float32)
        write_matrix(folder / "m.npy", MatrixStream([vectors], {"encoder": encoder or {}}))
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
