import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from kedro.io import Version
from torch import nn
from torchvision.models import VisionTransformer

from car_retrieval.datasets.onnx_model import OnnxModelDataset
from car_retrieval.models import descriptor, onnx_export
from car_retrieval.models.backbone import Convolutional
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.onnx_export import WhitenedEncoder, file_of, largest_angle, to_onnx
from car_retrieval.models.whitening import Whitening
from car_retrieval.search.pca import PCA

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 3, 32, 32), np.uint8)
PROJECTION = PCA(
    RNG.normal(size=8).astype(np.float32) / 9, RNG.normal(size=(5, 8)).astype(np.float32)
)


def convolutional() -> nn.Module:
    layers = nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1)
    return Convolutional(*layers)


def transformer() -> nn.Module:
    from car_retrieval.models.vision_transformer import TokenMap

    return TokenMap(VisionTransformer(32, 8, 2, 2, 16, 32))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Callable[..., DescriptorNet]:
    """Networks of two layers, whose translation takes a second."""

    def net(make: Callable[[], nn.Module] = convolutional, **config: Any) -> DescriptorNet:
        torch.manual_seed(0)
        backbone = make().eval()
        with torch.no_grad():
            features = backbone(torch.zeros(1, 3, 32, 32))
        monkeypatch.setattr(descriptor, "build_backbone", lambda *_: (backbone, features))
        made = DescriptorNet(DescriptorConfig("tiny", 8, 32, **config)).eval()
        if config.get("neck") == "bnneck":  # statistics that a mistake would show in
            made.neck.running_mean.normal_()
            made.neck.running_var.uniform_(0.5, 2)
        return made

    return net


def described(content: bytes, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images})[0]


def check(encoder: Encoder, whitening: Whitening | None = None) -> None:
    """onnxruntime gives PyTorch's descriptors, then numpy's whitening, for one image and for 5."""
    whitening = whitening or Whitening()
    content = file_of(to_onnx(WhitenedEncoder(encoder, whitening)), {})
    for images in (IMAGES[:1], IMAGES[1:]):
        with torch.inference_mode():
            wanted = whitening(encoder.eval()(torch.from_numpy(images)).numpy())
        found = described(content, images)
        assert found.dtype == np.float32
        assert found.shape == wanted.shape
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(found, wanted, atol=2e-5)
        spread = 0 if len(images) == 1 else np.ptp(wanted, axis=0).max()
        assert len(images) == 1 or spread > 1e-3  # or anything would do


def test_resnet18_with_gem() -> None:
    torch.manual_seed(0)
    check(Encoder(DescriptorNet(DescriptorConfig("resnet18", 8, 32)).eval()))


@pytest.mark.parametrize("pooling", ["average", "max", "gem_max"])
def test_other_poolings(tiny: Callable[..., DescriptorNet], pooling: str) -> None:
    check(Encoder(tiny(pooling=pooling)))


@pytest.mark.parametrize(("pooling", "scales"), [("cls", [1.0]), ("gem", [1.5])])
def test_transformers(
    tiny: Callable[..., DescriptorNet], pooling: str, scales: list[float]
) -> None:
    check(Encoder(tiny(transformer, pooling=pooling), scales))


def test_all_that_encoding_can_do(tiny: Callable[..., DescriptorNet]) -> None:
    net = tiny(neck="bnneck", normalisation="image")
    wide = PCA(np.tile(PROJECTION.mean, 3), np.tile(PROJECTION.components, 3))
    check(Encoder(net, [0.5, 1.0, 1.4147], flip=True), Whitening(wide))
    check(Encoder(net), Whitening(PROJECTION))


def test_the_largest_angle_is_that_of_a_plain_computation(
    tiny: Callable[..., DescriptorNet],
) -> None:
    network = WhitenedEncoder(Encoder(tiny()), Whitening()).eval()
    model = to_onnx(network)
    assert largest_angle(model, network, IMAGES) < 1e-3
    with torch.no_grad():
        network.encoder.net.projection.bias.add_(0.1)
        others = network(torch.from_numpy(IMAGES)).double().numpy()
    cosines = (described(file_of(model, {}), IMAGES).astype(float) * others).sum(1)
    wanted = np.degrees(np.arccos(cosines)).max()
    assert wanted > 1
    assert largest_angle(model, network, IMAGES) == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("bad", range(3))
def test_the_largest_angle_of_nan_is_nan(
    tiny: Callable[..., DescriptorNet], monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    network = WhitenedEncoder(Encoder(tiny()), Whitening()).eval()
    images = IMAGES[:3].copy()
    images[bad] = 255

    class Session:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def run(self, _: Any, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            with torch.inference_mode():
                described = network(torch.from_numpy(feed["images"])).numpy()
            described[(feed["images"] == 255).all(axis=(1, 2, 3))] = np.nan
            return [described]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    model: Any = SimpleNamespace(SerializeToString=bytes)
    assert np.isnan(largest_angle(model, network, images))


def test_a_file_keeps_its_metadata(tiny: Callable[..., DescriptorNet], tmp_path: Any) -> None:
    network = WhitenedEncoder(Encoder(tiny()), Whitening())
    dataset = OnnxModelDataset(str(tmp_path / "model.onnx"), Version(None, "v1"))
    dataset.save(file_of(to_onnx(network), {"run": "v1", "encoder": "{}"}))
    session = dataset.load()
    assert session.get_modelmeta().custom_metadata_map == {"run": "v1", "encoder": "{}"}
    assert session.get_inputs()[0].shape[1:] == [3, 32, 32]
    shown = json.loads(dataset.preview())
    assert shown["run"] == "v1"
    assert shown["images"].startswith("tensor(uint8)")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["model.onnx"]


def test_what_cannot_be_exported_is_said(
    tiny: Callable[..., DescriptorNet], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = WhitenedEncoder(Encoder(tiny()), Whitening())
    monkeypatch.setattr(onnx_export, "LARGEST", 1000)
    with pytest.raises(ValueError, match=r"GB of weights exceed the 2 GiB limit"):
        to_onnx(network)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ValueError, match=r"pip install -e '\.\[export\]'"):
        to_onnx(network)
