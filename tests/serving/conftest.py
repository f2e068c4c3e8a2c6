"""A project with the artifacts of a run of an untrained network on a few generated photos."""

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog
from PIL import Image
from tests.conftest import make_project
from tests.parameters import data_params, encoding_params, evaluation_params, training_params

from car_retrieval.images.inspect import inspect
from car_retrieval.io.matrix import Matrix, write_matrix
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.whitening import Whitening
from car_retrieval.params import DataParams, EncodingParams
from car_retrieval.pipelines.data_processing.nodes import pack_images
from car_retrieval.pipelines.encoding.nodes import encode_images, whiten
from car_retrieval.pipelines.searchers.nodes import index_gallery
from car_retrieval.serving.retriever import Retriever
from car_retrieval.serving.run_artifacts import catalog_config, open_retriever

ENV = "independent"
PHOTOS = 40
ARCH = "timm/test_resnet"
NAMES = [("Audi", "Audi A4"), ("Audi", "Audi A6"), ("Skoda", "Octavia"), (None, None)]


def picture(number: int) -> bytes:
    """Generate a photo whose format, orientation and size depend on its number."""
    rng = np.random.default_rng(number)
    height, width = rng.integers(70, 200, 2)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    image = coarse.resize((int(width), int(height)), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 1 + number % 8
    file = io.BytesIO()
    image.save(file, ("JPEG", "PNG")[number % 2], exif=exif)
    return file.getvalue()


def listed(folder: Path) -> pd.DataFrame:
    """Return the table of the photos in a folder, some with a box, some without a year."""
    rows = []
    for number in range(PHOTOS):
        path, class_ = f"{number}.jpg", number % len(NAMES)
        about = inspect((folder / path).read_bytes())
        box = (5, 7, about.width - 11, about.height - 3) if number % 3 else (None,) * 4
        year = 2000 + number % 10 if number % 7 else None
        rows.append((path, class_, *NAMES[class_], year, *box, number, *about[:4]))
    columns = ["Path", "Class", "MakeName", "ModelName", "Year", "x1", "y1", "x2", "y2"]
    table = pd.DataFrame(rows, columns=[*columns, "Index", "Width", "Height", "Hash", "DHash"])
    return table.astype({name: "Int64" for name in ("Year", "x1", "y1", "x2", "y2")})


def catalog_of(project: Path, version: str) -> DataCatalog:
    return DataCatalog.from_config({**catalog_config(ENV, project)}, save_version=version)


def write_run(
    project: Path,
    version: str,
    encoding: EncodingParams | None = None,
    packing: DataParams | None = None,
) -> None:
    """Save the artifacts that a search needs, as the pipelines do."""
    encoding = (encoding or encoding_params()).model_copy(update={"whitening": None})
    packing = packing or data_params(image_size=32, fill="mean", crop="box")
    catalog = catalog_of(project, version)
    photos = listed(project / "data/01_raw/independent/traini")
    catalog.save("gallery_photos", photos)
    net = DescriptorNet(DescriptorConfig(ARCH, 16, 32)).eval()
    catalog.save("model", net)
    whitening = Whitening()
    catalog.save("whitening", whitening)
    stream = pack_images(photos, catalog.load("web_images"), packing, training_params(arch=ARCH))
    pixels = project / f"{version}.npy"
    write_matrix(pixels, stream)
    features = project / f"{version}_features.npy"
    write_matrix(
        features, encode_images(Matrix(pixels), net, {}, photos.assign(split="train"), encoding)
    )
    catalog.save("gallery_descriptors", whiten(Matrix(features), whitening, encoding))
    descriptors = catalog.load("gallery_descriptors")
    searchers = {"lopq": {"kind": "lopq", "coarse": 2, "subquantisers": 4}}
    params = evaluation_params(searchers=searchers)
    catalog.save("lopq_index", index_gallery(descriptors, params))
    signature = {name: descriptors.attributes[name] for name in ("encoder", "photos")}
    catalog.save("no_match_threshold", signature | {"threshold": 0.9, "reranking": None})


@pytest.fixture(scope="session")
def searchable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one run in the environment independent; tests must not change it."""
    project = make_project(tmp_path_factory.mktemp("searchable"))
    folder = project / "data/01_raw/independent/traini"
    folder.mkdir(parents=True)
    for number in range(PHOTOS):
        (folder / f"{number}.jpg").write_bytes(picture(number))
    torch.manual_seed(3)
    write_run(project, "2026-01-01")
    return project


@pytest.fixture
def own_project(searchable: Path, tmp_path: Path) -> Path:
    """A copy of `searchable` that tests may change."""
    shutil.copytree(searchable, tmp_path / "own", symlinks=True)
    return tmp_path / "own"


@pytest.fixture(scope="session")
def retriever(searchable: Path) -> Retriever:
    return open_retriever(ENV, searchable)
