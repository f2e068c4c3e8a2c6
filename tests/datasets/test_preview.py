import base64
import inspect
import io
import json
from pathlib import Path

import numpy as np
from kedro_datasets import _typing as known_to_viz
from matplotlib.figure import Figure
from PIL import Image

from car_retrieval.datasets.figure import FigureDataset
from car_retrieval.datasets.matrix import ImageMatrixDataset, MatrixDataset
from car_retrieval.matrix import MatrixStream


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


def test_viz_knows_the_previews_by_name() -> None:
    for dataset in (FigureDataset, ImageMatrixDataset, MatrixDataset):
        annotation = inspect.signature(dataset.preview).return_annotation
        assert hasattr(known_to_viz, annotation.__name__)
