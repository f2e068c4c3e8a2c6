"""Which photos the heat maps are of, and whose network made them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex

from car_retrieval.explain.heat_map import heat_map
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder, signature
from car_retrieval.models.whitening import Whitening
from car_retrieval.params import EncodingParams, EvaluationParams
from car_retrieval.pipelines.evaluation import heat
from car_retrieval.pipelines.evaluation.heat import show_heat
from car_retrieval.reporting.overlay import overlay
from car_retrieval.reporting.style import GREEN, INK, RED
from car_retrieval.search.pca import PCA
from car_retrieval.search.result import RetrievalResult

WHITENING = Whitening(
    PCA(
        np.full(16, 0.1, np.float32),
        np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32),
    )
)
PARAMS = EvaluationParams(k=5, shown_queries=1)


def images(path: Path, seed: int, rows: int) -> Matrix:
    pixels = np.random.default_rng(seed).integers(0, 256, (rows, 3, 32, 32), np.uint8)
    write_matrix(path, pixels)
    return Matrix(path)


@torch.inference_mode()
def described(path: Path, pixels: Matrix, encoder: Encoder, whitening: Whitening) -> Matrix:
    block = whitening(encoder(torch.from_numpy(pixels[:])).numpy())
    write_matrix(path, MatrixStream([block], {"encoder": signature(encoder, whitening, pixels)}))
    return Matrix(path)


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """Three queries of class 0, of which query 2 is the median; gallery rows 0 and 1 are right."""
    torch.manual_seed(0)
    net = DescriptorNet(DescriptorConfig("resnet18", 8, 32)).eval()
    pixels = [images(tmp_path / "q.npy", 0, 3), images(tmp_path / "g.npy", 1, 4)]
    names = (tmp_path / "tdatabase.npy", tmp_path / "database.npy")
    descriptors = [
        described(*each, Encoder(net), Whitening()) for each in zip(names, pixels, strict=True)
    ]
    by_query = pd.DataFrame(
        {"Query": [0, 1, 2], "Class": 0, "AP@5": [0.9, 0.1, 0.5], "Relevant": [2, 2, 2]}
    )
    hits = [[0, 1, 2, 3], [0, 1, 2, 3], [3, 1, 2, 0]]
    scores = np.tile(np.float32([0.9, 0.8, 0.7, 0.6]), (3, 1))
    return {
        "by_query": by_query,
        "hits": RetrievalResult(np.arange(3), np.array(hits), scores),
        "queries": descriptors[0],
        "gallery": descriptors[1],
        "query_photos": pd.DataFrame({"Class": [0, 0, 0]}),
        "query_images": pixels[0],
        "gallery_photos": pd.DataFrame({"Class": [0, 0, 7, 8]}),
        "gallery_images": pixels[1],
        "model": net,
        "checkpoints": {},
        "whitening": Whitening(),
        "encoding": EncodingParams(device="cpu"),
        "params": PARAMS,
    }


def test_first_right_and_first_wrong_match_of_the_median_query(given: dict[str, Any]) -> None:
    (axes,) = show_heat(**given).axes
    texts = [text.get_text() for text in axes.texts]
    assert "class 0 · AP@5 0.50" in texts
    both = ["where in the query", "where in the match"]
    assert [text for text in texts if text.startswith("where")] == both * 2
    signs = [text for text in texts if text.startswith(("✓", "✗"))]
    similar = given["gallery"][:] @ given["queries"][2]  # and not the scores of the hits
    assert signs == ["✓", "✓", f"✓ {similar[1]:.3f}", "✗", "✗", f"✗ {similar[3]:.3f}"]
    assert [text for text in texts if text.startswith("class ")][1:] == ["class 0", "class 8"]
    colours = [to_hex(frame.get_edgecolor()) for frame in axes.patches]
    assert colours == [INK, *[GREEN] * 3, *[RED] * 3]
    query, right = given["query_images"][2], given["gallery_images"][1]
    wanted = heat_map(
        Encoder(given["model"]), torch.from_numpy(query), torch.from_numpy(given["gallery"][1])
    )
    wanted = overlay(query.transpose(1, 2, 0), wanted.numpy())
    shown = [image.get_array() for image in axes.images]
    np.testing.assert_array_equal(shown[0], query.transpose(1, 2, 0))
    assert np.abs(shown[1].astype(int) - wanted.astype(int)).max() <= 2
    np.testing.assert_array_equal(shown[3], right.transpose(1, 2, 0))


def test_a_query_with_right_matches_only(given: dict[str, Any]) -> None:
    given["hits"] = RetrievalResult(
        np.arange(3), np.array([[0, 1, -1]] * 3), np.float32([[0.9, 0.8, -np.inf]] * 3)
    )
    assert len(show_heat(**given).axes[0].images) == 4


def test_heat_is_shown_of_few_queries(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heat, "SHOWN", 2)
    monkeypatch.setattr(heat, "pick_queries", lambda *_: {"median": [2, 0, 1]})
    captions = [text.get_text() for text in show_heat(**given).axes[0].texts]
    scores = [caption[-4:] for caption in captions if "AP@5" in caption]
    assert scores == ["0.50", "0.90"]


def test_no_queries(given: dict[str, Any]) -> None:
    given["by_query"] = given["by_query"][:0]
    assert not show_heat(**given).axes[0].images


@pytest.mark.parametrize("change", ["network", "encoder", "whitening"])
def test_descriptors_of_another_encoder_are_refused(given: dict[str, Any], change: str) -> None:
    others = {
        "network": {"model": DescriptorNet(DescriptorConfig("resnet18", 8, 32))},
        "encoder": {"encoding": EncodingParams(device="cpu", flip=True)},
        "whitening": {"whitening": WHITENING},
    }
    with pytest.raises(ValueError, match=r"^database\.npy was encoded by another encoder .* again"):
        show_heat(**given | others[change])


def test_mirror_images_scales_and_whitening(given: dict[str, Any], tmp_path: Path) -> None:
    given["encoding"] = EncodingParams(device="cpu", flip=True, scales=[1.0, 2.0])
    given["whitening"] = WHITENING
    encoder = Encoder(given["model"], [1.0, 2.0], flip=True)
    for side, pixels in (("queries", "query_images"), ("gallery", "gallery_images")):
        path = tmp_path / f"whitened {side}.npy"
        given[side] = described(path, given[pixels], encoder, WHITENING)
    assert len(show_heat(**given).axes[0].images) == 7


def test_the_network_of_the_epoch_that_encoded(given: dict[str, Any]) -> None:
    net = given["model"]
    state = {"config": vars(net.config), "model": net.state_dict()}
    given["checkpoints"] = {3: state | {"provenance": {}, "report": {}}}
    given["model"] = DescriptorNet(DescriptorConfig("resnet18", 8, 32))
    given["encoding"] = EncodingParams(device="cpu", checkpoint=3)
    assert len(show_heat(**given).axes[0].images) == 7
