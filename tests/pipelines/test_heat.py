"""Which photos the heat maps are of, and whose network made them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL.Image import Image
from tests.parameters import encoding_params, evaluation_params

from car_retrieval.explain.heat_map import heat_map
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.whitening import Whitening
from car_retrieval.pipelines.diagnosis import heat
from car_retrieval.pipelines.diagnosis.heat import WhitenedEncoder, draw_heat_maps, load_encoder
from car_retrieval.reporting.overlay import overlay
from car_retrieval.reporting.photo_grid import GridRow, retrieval_grid
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


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[GridRow]]:
    """Draw the heat maps of what is given; returns the rows of their grid."""
    grids: list[list[GridRow]] = []

    def note(title: str, rows: list[GridRow], columns: int) -> Image:
        grids.append(rows)
        return retrieval_grid(title, rows, columns)

    monkeypatch.setattr(heat, "retrieval_grid", note)

    def draw(**given: Any) -> list[GridRow]:
        draw_heat_maps(**given)
        return grids.pop()

    return draw


def test_first_right_and_first_wrong_match_of_the_median_query(
    given: dict[str, Any], draw: Callable[..., list[GridRow]]
) -> None:
    (row,) = draw(**given)
    assert row.caption == "class 0 · AP@5 0.50"
    both = ["where in the query", "where in the match"]
    captions = [match.caption for match in row.matches]
    assert captions == [*both, "class 0", *both, "class 8"]
    assert [match.right for match in row.matches] == [True] * 3 + [False] * 3
    encoder: WhitenedEncoder = given["encoder"]
    query, *gallery = map(encoder.describe, (given["query_images"][2], *given["gallery_images"][:]))
    similar = gallery @ query  # and not the scores of the hits
    told = [match.similarity for match in row.matches]
    unknown = [np.nan, np.nan]
    assert told == pytest.approx([*unknown, similar[1], *unknown, similar[3]], nan_ok=True)
    query, right = given["query_images"][2], given["gallery_images"][1]
    images = torch.from_numpy(query), torch.from_numpy(gallery[1])
    wanted = heat_map(encoder.encoder, *images)
    wanted = overlay(query.transpose(1, 2, 0), wanted.numpy())
    shown = [row.image, *(match.image for match in row.matches)]
    np.testing.assert_array_equal(shown[0], query.transpose(1, 2, 0))
    assert np.abs(shown[1].astype(int) - wanted.astype(int)).max() <= 2
    np.testing.assert_array_equal(shown[3], right.transpose(1, 2, 0))


def test_a_query_with_right_matches_only(
    given: dict[str, Any], draw: Callable[..., list[GridRow]]
) -> None:
    given["hits"] = RetrievalResult(
        np.arange(3), np.array([[0, 1, -1]] * 3), np.float32([[0.9, 0.8, -np.inf]] * 3)
    )
    (row,) = draw(**given)
    assert len(row.matches) == 3


def test_heat_is_shown_of_few_queries(
    given: dict[str, Any], draw: Callable[..., list[GridRow]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heat, "SHOWN", 2)
    monkeypatch.setattr(heat, "pick_queries", lambda *_: {"median": [2, 0, 1]})
    assert [row.caption[-4:] for row in draw(**given)] == ["0.50", "0.90"]


def test_no_queries(given: dict[str, Any], draw: Callable[..., list[GridRow]]) -> None:
    given["by_query"] = given["by_query"][:0]
    assert not draw(**given)


def test_mirror_images_scales_and_whitening(
    given: dict[str, Any], draw: Callable[..., list[GridRow]]
) -> None:
    encoder = Encoder(given["encoder"].encoder.net, [1.0, 2.0], flip=True)
    given["encoder"] = WhitenedEncoder(encoder, WHITENING)
    assert given["encoder"].describe(given["query_images"][0]).shape == (5,)
    (row,) = draw(**given)
    assert len(row.matches) == 6


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
