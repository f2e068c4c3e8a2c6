import base64
import inspect
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import AbstractDataset
from kedro_datasets import _typing as known_to_viz
from matplotlib.figure import Figure
from PIL import Image

from car_retrieval.datasets.checkpoints import CheckpointsDataset
from car_retrieval.datasets.figure import FigureDataset
from car_retrieval.datasets.image_files import ImageFilesDataset
from car_retrieval.datasets.labels import LabelsDataset
from car_retrieval.datasets.matrix import ImageMatrixDataset, MatrixDataset
from car_retrieval.datasets.model import ModelDataset
from car_retrieval.datasets.retrieval_result import RetrievalResultDataset
from car_retrieval.datasets.search_index import SearchIndexDataset
from car_retrieval.datasets.whitening import WhiteningDataset
from car_retrieval.io.matrix import MatrixStream
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.whitening import Whitening
from car_retrieval.search.pca import PCA
from car_retrieval.search.result import RetrievalResult


def picture(preview: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(preview)))


def test_a_matrix_shows_its_shape_its_attributes_and_its_corner(tmp_path: Path) -> None:
    dataset = MatrixDataset(str(tmp_path / "m.npy"))
    values = np.arange(120, dtype=np.float32).reshape(6, 20) / 7
    dataset.save(MatrixStream([values], {"scales": [1.0]}))
    shown = json.loads(dataset.preview())
    assert shown["shape"] == [6, 20]
    assert shown["dtype"] == "float32"
    assert shown["scales"] == [1.0]
    assert len(shown["corner"]) == 5
    assert shown["corner"][0] == "0.0 0.143 0.286 0.429 0.571 0.714 0.857 1.0"


def test_packed_images_show_as_a_contact_sheet(tmp_path: Path) -> None:
    dataset = ImageMatrixDataset(str(tmp_path / "images.npy"))
    images = np.zeros((100, 3, 16, 16), np.uint8)
    images[:, 0] = 200
    dataset.save(MatrixStream([images]))
    sheet = picture(dataset.preview())
    assert sheet.size == (8 * 20 + 4, 5 * 20 + 4)
    assert sheet.getpixel((10, 10)) == (200, 0, 0)


def test_a_figure_shows_itself(tmp_path: Path) -> None:
    dataset = FigureDataset(str(tmp_path / "figure.png"))
    figure = Figure(figsize=(2, 1))
    figure.text(0.5, 0.5, "here")
    dataset.save(figure)
    assert picture(dataset.preview()).format == "PNG"


def test_a_folder_of_photos_shows_those_that_can_be_read(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (30, 20), (0, 0, 50 * number)).save(tmp_path / f"{number}.png")
    (tmp_path / "0.txt").write_text("no photo")
    sheet = picture(ImageFilesDataset(str(tmp_path)).preview())
    assert sheet.size == (8 * 100 + 4, 104)
    middles = [sheet.getpixel((52 + 100 * place, 52)) for place in range(4)]
    assert middles == [(0, 0, 0), (0, 0, 50), (0, 0, 100), (255, 255, 255)]


def test_an_empty_folder(tmp_path: Path) -> None:
    assert picture(ImageFilesDataset(str(tmp_path)).preview()).size == (804, 104)


def test_labels_and_hits_show_as_tables(tmp_path: Path) -> None:
    labels = LabelsDataset(str(tmp_path / "labels.csv"))
    labels.save(pd.Series(range(30), index=range(100, 130)))
    shown = labels.preview()
    assert shown["columns"] == ["Index", "Class"]
    assert shown["data"] == [[100 + row, row] for row in range(20)]
    hits = RetrievalResultDataset(str(tmp_path / "hits.npz"))
    scores = np.float32([[0.75, 0.5], [0.25, -np.inf]])
    hits.save(RetrievalResult(np.array([7, 9]), np.array([[3, 4], [5, -1]]), scores))
    shown = hits.preview()
    assert shown["columns"] == ["Query", "hit 1", "hit 2"]
    assert shown["data"] == [[7, "3 (0.750)", "4 (0.500)"], [9, "5 (0.250)", ""]]


def test_what_was_learnt_says_how(tmp_path: Path) -> None:
    net = DescriptorNet(DescriptorConfig("resnet18", 8, 32))
    net.provenance = {"data": "0123"}
    model = ModelDataset(str(tmp_path / "model.safetensors"))
    model.save(net)
    shown = json.loads(model.preview())
    assert shown["config"]["dimension"] == 8
    assert shown["provenance"] == {"data": "0123"}
    whitening = WhiteningDataset(str(tmp_path / "whitening.safetensors"))
    whitening.save(Whitening(PCA(np.zeros(8), np.zeros((3, 8))), {"encoder": {"flip": True}}))
    assert json.loads(whitening.preview()) == {"components": [3, 8], "encoder": {"flip": True}}
    whitening.save(Whitening())
    assert json.loads(whitening.preview()) == {"components": None}


def test_checkpoints_show_their_epochs_and_the_newest_report(tmp_path: Path) -> None:
    dataset = CheckpointsDataset(str(tmp_path / "checkpoints"))
    dataset.save({"model": torch.zeros(1), "report": {"epoch": epoch}} for epoch in range(11))
    assert json.loads(dataset.preview()) == {"epochs": [*range(11)], "newest": {"epoch": 10}}
    none = CheckpointsDataset(str(tmp_path / "none"), partial=True)
    assert json.loads(none.preview()) == {"epochs": [], "newest": None}


@pytest.mark.parametrize(
    "dataset",
    [
        *(CheckpointsDataset, FigureDataset, ImageFilesDataset, ImageMatrixDataset, LabelsDataset),
        *(MatrixDataset, ModelDataset, RetrievalResultDataset, SearchIndexDataset),
        WhiteningDataset,
    ],
)
def test_viz_knows_the_previews_by_name(dataset: type[AbstractDataset]) -> None:
    annotation = inspect.signature(dataset.preview).return_annotation
    assert hasattr(known_to_viz, annotation.__name__)
