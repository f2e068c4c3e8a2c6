"""Which photos the heat maps are of, and whose network made them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex
from tests.parameters import encoding_params, evaluation_params

from car_retrieval.explain.heat_map import heat_map
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.whitening import Whitening
from car_retrieval.pipelines.diagnosis import heat
from car_retrieval.pipelines.diagnosis.heat import WhitenedEncoder, draw_heat_maps, load_encoder
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
PARAMS = evaluation_params(k=5, shown_queries=1)


def images(path: Path, seed: int, rows: int) -> Matrix:
    pixels = np.random.default_rng(seed).integers(0, 256, (rows, 3, 32, 32), np.uint8)
    write_matrix(path, pixels)
    return Matrix(path)


@torch.inference_mode()
def described(path: Path, pixels: Matrix, encoder: Encoder, whitening: Whitening) -> Matrix:
    block = whitening(encoder(torch.from_numpy(pixels[:])).numpy())
    write_matrix(path, MatrixStream([block], {"encoder": encoder.signature()}))
    return Matrix(path)


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """Three queries of class 0, of which query 2 is the median; gallery rows 0 and 1 are right."""
    torch.manual_seed(0)
    net = DescriptorNet(DescriptorConfig("resnet18", 8, 32)).eval()
    pixels = [images(tmp_path / "q.npy", 0, 3), images(tmp_path / "g.npy", 1, 4)]
    by_query = pd.DataFrame(
        {"Query": [0, 1, 2], "Class": 0, "AP@5": [0.9, 0.1, 0.5], "Relevant": [2, 2, 2]}
    )
    hits = [[0, 1, 2, 3], [0, 1, 2, 3], [3, 1, 2, 0]]
    scores = np.tile(np.float32([0.9, 0.8, 0.7, 0.6]), (3, 1))
    return {
        "by_query": by_query,
        "hits": RetrievalResult(np.arange(3), np.array(hits), scores),
        "query_photos": pd.DataFrame({"Class": [0, 0, 0]}),
        "query_images": pixels[0],
        "gallery_photos": pd.DataFrame({"Class": [0, 0, 7, 8]}),
        "gallery_images": pixels[1],
        "encoder": WhitenedEncoder(Encoder(net), Whitening()),
        "params": PARAMS,
    }


def test_first_right_and_first_wrong_match_of_the_median_query(given: dict[str, Any]) -> None:
    (axes,) = draw_heat_maps(**given).axes
    texts = [text.get_text() for text in axes.texts]
    assert "class 0 · AP@5 0.50" in texts
    both = ["where in the query", "where in the match"]
    assert [text for text in texts if text.startswith("where")] == both * 2
    signs = [text for text in texts if text.startswith(("✓", "✗"))]
    encoder: WhitenedEncoder = given["encoder"]
    query, *gallery = map(encoder.describe, (given["query_images"][2], *given["gallery_images"][:]))
    similar = gallery @ query  # and not the scores of the hits
    assert signs == ["✓", "✓", f"✓ {similar[1]:.3f}", "✗", "✗", f"✗ {similar[3]:.3f}"]
    assert [text for text in texts if text.startswith("class ")][1:] == ["class 0", "class 8"]
    colours = [to_hex(frame.get_edgecolor()) for frame in axes.patches]
    assert colours == [INK, *[GREEN] * 3, *[RED] * 3]
    query, right = given["query_images"][2], given["gallery_images"][1]
    images = torch.from_numpy(query), torch.from_numpy(gallery[1])
    wanted = heat_map(encoder.encoder, *images)
    wanted = overlay(query.transpose(1, 2, 0), wanted.numpy())
    shown = [image.get_array() for image in axes.images]
    np.testing.assert_array_equal(shown[0], query.transpose(1, 2, 0))
    assert np.abs(shown[1].astype(int) - wanted.astype(int)).max() <= 2
    np.testing.assert_array_equal(shown[3], right.transpose(1, 2, 0))


def test_a_query_with_right_matches_only(given: dict[str, Any]) -> None:
    given["hits"] = RetrievalResult(
        np.arange(3), np.array([[0, 1, -1]] * 3), np.float32([[0.9, 0.8, -np.inf]] * 3)
    )
    assert len(draw_heat_maps(**given).axes[0].images) == 4


def test_heat_is_shown_of_few_queries(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heat, "SHOWN", 2)
    monkeypatch.setattr(heat, "pick_queries", lambda *_: {"median": [2, 0, 1]})
    captions = [text.get_text() for text in draw_heat_maps(**given).axes[0].texts]
    scores = [caption[-4:] for caption in captions if "AP@5" in caption]
    assert scores == ["0.50", "0.90"]


def test_no_queries(given: dict[str, Any]) -> None:
    given["by_query"] = given["by_query"][:0]
    assert not draw_heat_maps(**given).axes[0].images


def test_mirror_images_scales_and_whitening(given: dict[str, Any]) -> None:
    encoder = Encoder(given["encoder"].encoder.net, [1.0, 2.0], flip=True)
    given["encoder"] = WhitenedEncoder(encoder, WHITENING)
    assert given["encoder"].describe(given["query_images"][0]).shape == (5,)
    assert len(draw_heat_maps(**given).axes[0].images) == 7


def test_the_encoder_of_the_epoch_that_encoded(given: dict[str, Any], tmp_path: Path) -> None:
    net = given["encoder"].encoder.net
    state = {"config": vars(net.config), "model": net.state_dict()}
    checkpoints: Any = {3: state | {"provenance": {}, "report": {}}}
    signature = Encoder(net, [1.0, 0.5], flip=True).signature()
    about = {"encoder": signature, "checkpoint": 3}
    write_matrix(tmp_path / "d.npy", MatrixStream([np.zeros((1, 32), np.float32)], about))
    other = DescriptorNet(DescriptorConfig("resnet18", 8, 32))
    loaded = load_encoder(
        Matrix(tmp_path / "d.npy"), other, checkpoints, WHITENING, encoding_params(device="cpu")
    )
    assert loaded.encoder.signature() == signature
    assert loaded.whitening is WHITENING
