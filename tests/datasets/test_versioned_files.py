"""Matrices, search results and figures on disk, under versions."""

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError, Version
from kedro.io.core import VersionNotFoundError
from matplotlib.figure import Figure
from PIL import Image

from car_retrieval.datasets.figure import FigureDataset
from car_retrieval.datasets.matrix import ImageMatrixDataset, MatrixDataset
from car_retrieval.datasets.retrieval_result import RetrievalResultDataset
from car_retrieval.io.matrix import Matrix, MatrixStream
from car_retrieval.search.result import RetrievalResult

V1 = Version(None, "v1")


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "m.npy")


def test_a_version_lies_below_the_file_name(folder):
    MatrixDataset(filepath=folder, version=V1).save(np.arange(3))
    np.testing.assert_array_equal(np.load(Path(folder) / "v1" / "m.npy"), [0, 1, 2])


def test_the_newest_version_is_loaded(folder):
    for number in (1, 3, 2):
        MatrixDataset(filepath=folder, version=Version(f"v{number}", f"v{number}")).save(
            np.array([number])
        )
    assert MatrixDataset(filepath=folder, version=Version(None, None)).load()[0] == 3
    assert MatrixDataset(filepath=folder, version=Version("v1", None)).load()[0] == 1


def test_a_version_is_never_overwritten(folder):
    MatrixDataset(filepath=folder, version=V1).save(np.arange(3))
    with pytest.raises(DatasetError, match="must not exist"):
        MatrixDataset(filepath=folder, version=V1).save(np.arange(4))
    assert len(MatrixDataset(filepath=folder, version=Version(None, None)).load()) == 3


def test_without_versions(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    dataset = MatrixDataset(filepath="~/m.npy")
    assert not dataset.exists()
    dataset.save(np.arange(3))
    assert dataset.exists()
    assert (tmp_path / "m.npy").is_file()


def test_nothing_to_load(folder):
    dataset = MatrixDataset(filepath=folder, version=V1)
    assert not dataset.exists()
    with pytest.raises(VersionNotFoundError):
        dataset.load()


class TestMatrix:
    def test_stream(self, folder):
        dataset = MatrixDataset(filepath=folder, version=V1)
        blocks = (np.full((2, 3), i, np.float32) for i in range(4))
        dataset.save(MatrixStream(blocks, {"weights": "ab"}))
        matrix = dataset.load()
        assert isinstance(matrix, Matrix)
        assert matrix.shape == (8, 3)
        assert matrix.attributes == {"weights": "ab"}
        assert dataset.exists()

    def test_a_failed_stream_leaves_no_version(self, folder):
        def blocks():
            yield np.zeros((2, 3))
            raise ValueError("photo 3 is missing")

        dataset = MatrixDataset(filepath=folder, version=V1)
        with pytest.raises(DatasetError, match="photo 3 is missing"):
            dataset.save(MatrixStream(blocks()))
        assert not (Path(folder) / "v1").exists()
        assert not MatrixDataset(filepath=folder, version=Version(None, None)).exists()

    @pytest.mark.parametrize("count", [1, 100])
    def test_preview(self, folder, count):
        dataset = ImageMatrixDataset(filepath=folder, version=V1)
        dataset.save(np.full((count, 3, 16, 16), 90, np.uint8))
        picture = Image.open(BytesIO(base64.b64decode(dataset.preview())))
        assert picture.format == "PNG"


class TestRetrievalResult:
    def test_round_trip(self, tmp_path):
        result = RetrievalResult(
            np.array([4, 2]),
            np.array([[7, -1], [2**62, 1]]),
            np.array([[0.5, -np.inf], [0.25, 0.125]], np.float32),
        )
        dataset = RetrievalResultDataset(filepath=str(tmp_path / "hits.npz"), version=V1)
        dataset.save(result)
        read = dataset.load()
        for name in ("query_ids", "hits", "scores"):
            np.testing.assert_array_equal(getattr(read, name), getattr(result, name))
        assert [f.name for f in (tmp_path / "hits.npz" / "v1").iterdir()] == ["hits.npz"]

    def test_a_file_that_breaks_the_rules_is_refused(self, tmp_path):
        file = tmp_path / "hits.npz"
        scores = np.array([[0.1, 0.9]], np.float32)
        np.savez(file, query_ids=np.array([1]), hits=np.array([[1, 2]]), scores=scores)
        with pytest.raises(DatasetError, match="increase along the row"):
            RetrievalResultDataset(filepath=str(file)).load()


def test_figure(tmp_path):
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2])
    dataset = FigureDataset(filepath=str(tmp_path / "f.png"), version=V1)
    dataset.save(figure)
    png = (tmp_path / "f.png" / "v1" / "f.png").read_bytes()
    assert dataset.load() == png == base64.b64decode(dataset.preview())
    assert Image.open(BytesIO(png)).format == "PNG"
