import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from car_retrieval.io.matrix import Matrix, write_matrix
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import (
    Encoder,
    encode,
    network_at,
    resized,
    with_features,
    with_features_of,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 3, 32, 32), dtype=np.uint8)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return DescriptorNet(DescriptorConfig("resnet18", 8, 32)).eval()


@pytest.fixture(scope="module")
def whole(net):
    with torch.inference_mode():
        return net(torch.from_numpy(IMAGES)).numpy()


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_blocks_join_to_the_whole(net, whole, batch_size):
    blocks = list(encode(net, IMAGES, batch_size=batch_size))
    assert [len(block) for block in blocks[:-1]] == [batch_size] * (len(blocks) - 1)
    assert blocks[0].dtype == np.float32
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-5)


def test_chosen_rows_in_the_order_asked_for(net, whole):
    rows = np.array([5, 0, 0, 6])
    found = np.concatenate(list(encode(net, IMAGES, rows=rows, batch_size=3)))
    np.testing.assert_allclose(found, whole[rows], atol=1e-5)
    assert [len(part) for part in encode(net, IMAGES, rows=rows[:0])] == [0]


def test_a_matrix_on_disk(net, whole, tmp_path):
    write_matrix(tmp_path / "m.npy", IMAGES)
    found = np.concatenate(list(encode(net, Matrix(tmp_path / "m.npy"), batch_size=4)))
    np.testing.assert_allclose(found, whole, atol=1e-5)


def test_a_network_in_training_is_set_to_evaluation(net, whole):
    found = next(encode(net.train(), IMAGES))
    assert not net.training
    np.testing.assert_allclose(found, whole, atol=1e-5)


def test_several_scales_are_joined(net):
    scales = [0.5, 1.0, 2.0]
    found = np.concatenate(list(encode(Encoder(net, scales), IMAGES, batch_size=4)))
    assert found.shape == (7, 24)
    for image, vector in zip(torch.from_numpy(IMAGES).float(), found, strict=True):
        parts = []
        for scale in scales:
            side = round(32 * scale)
            pixels = F.interpolate(
                image[None], (side, side), mode="bilinear", antialias=scale < 1, align_corners=False
            )
            with torch.inference_mode():
                parts.append(net(pixels)[0].numpy())
        wanted = np.concatenate(parts)
        np.testing.assert_allclose(vector, wanted / np.linalg.norm(wanted), atol=1e-5)


def test_one_other_scale(net):
    images = torch.from_numpy(IMAGES)
    with torch.inference_mode():
        wanted = net(resized(images, 0.5)).numpy()
    np.testing.assert_allclose(next(encode(Encoder(net, [0.5]), IMAGES)), wanted, atol=1e-5)


@pytest.mark.parametrize("scales", [[1.0], [0.5, 1.0]])
def test_photo_and_mirror_image_are_described_as_one(net, scales):
    found = next(encode(Encoder(net, scales, flip=True), IMAGES))
    mirrored = np.ascontiguousarray(IMAGES[..., ::-1])
    parts = []
    for scale in scales:
        both = sum(next(encode(Encoder(net, [scale]), images)) for images in (IMAGES, mirrored))
        parts.append(both / np.linalg.norm(both, axis=1, keepdims=True))
    np.testing.assert_allclose(found, np.concatenate(parts, axis=1) / len(scales) ** 0.5, atol=1e-5)
    np.testing.assert_allclose(next(encode(Encoder(net, scales, True), mirrored)), found, atol=1e-5)
    assert not np.allclose(found, next(encode(Encoder(net, scales), IMAGES)), atol=1e-3)


def test_an_encoder_that_looks_once_is_the_network(net, whole):
    np.testing.assert_allclose(next(encode(Encoder(net), IMAGES)), whole, atol=1e-5)


def test_the_signature_tells_encoders_apart(net):
    torch.manual_seed(1)
    other = DescriptorNet(DescriptorConfig("resnet18", 8, 32))
    encoders = [
        Encoder(net),
        Encoder(other),
        Encoder(net, [0.5, 1.0]),
        Encoder(net, [1.0, 0.5]),
        Encoder(net, flip=True),
    ]
    signatures = [json.dumps(encoder.signature(), sort_keys=True) for encoder in encoders]
    assert len(set(signatures)) == len(encoders)
    assert Encoder(net).signature() == Encoder(net, (1.0,)).signature()


def test_resized():
    images = torch.rand(2, 3, 10, 20)
    assert resized(images, 1.0) is images
    assert resized(images, 0.5).shape == (2, 3, 5, 10)
    assert resized(images, 1.4147).shape == (2, 3, 14, 28)
    flat = torch.full((1, 3, 9, 9), 7, dtype=torch.uint8)
    torch.testing.assert_close(resized(flat, 1.5), torch.full((1, 3, 14, 14), 7.0))


@pytest.mark.parametrize("scale", [1e-9, 0.01, 0.04])
def test_an_image_keeps_at_least_one_pixel(net, scale):
    images = torch.full((2, 3, 10, 20), 7, dtype=torch.uint8)
    small = resized(images, scale)
    assert small.shape == (2, 3, 1, 1)
    torch.testing.assert_close(small, torch.full((2, 3, 1, 1), 7.0))
    found = next(encode(Encoder(net, [scale, 1.0]), IMAGES))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("scale", [0, -0.5, float("nan")])
def test_a_factor_that_is_none_is_refused(scale):
    with pytest.raises(ValueError, match="above 0"):
        resized(torch.zeros(1, 3, 4, 4), scale)


def test_an_epoch_that_was_not_saved_cannot_encode() -> None:
    with pytest.raises(ValueError, match=r"encoding\.checkpoint = 7: .* epochs 0, 1"):
        network_at(7, None, {0: {}, 1: {}})  # type: ignore


def test_the_features_are_chosen_and_found_again(net) -> None:
    networks = {"head": net, "pooled": net.without_head(stage=False)}
    for features, wanted in networks.items():
        found = with_features(net, features)  # type: ignore[arg-type]  # two of them
        assert found.signature() == wanted.signature()
        assert with_features_of(net, found.signature()).signature() == wanted.signature()
    assert with_features_of(net, {}) is net  # descriptors of an earlier version


def test_a_network_without_a_head_has_one_kind_of_features(net) -> None:
    pooled = net.without_head(stage=False)
    for features in ("head", "pooled"):
        assert with_features(pooled, features) is pooled  # type: ignore[arg-type]


def test_the_last_stage_of_a_network_that_ends_in_it_is_what_it_pools(net) -> None:
    assert with_features(net, "stage").signature() == net.without_head(stage=False).signature()


def test_the_last_stage_is_found_again() -> None:
    net = DescriptorNet(DescriptorConfig("timm/tf_efficientnet_lite0", 8, 32)).eval()
    found = with_features(net, "stage")
    assert found.config.stage
    assert with_features_of(net, found.signature()).signature() == found.signature()
