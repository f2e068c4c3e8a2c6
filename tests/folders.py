"""Folders of made-up photos, and `kedro index-folder` on them."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from click.testing import CliRunner
from PIL import Image

from car_retrieval.cli import cli
from car_retrieval.datasets.image_files import ImageFilesDataset
from car_retrieval.datasets.photo_lists import IndexedPhotosDataset


def photo(seed: int, kind: str = "JPEG") -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize((72, 64)).save(file, kind)
    return file.getvalue()


def put(folder: Path, *paths: str, seed: int = 0) -> None:
    for number, path in enumerate(paths):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(photo(1000 * seed + number))


def index(*arguments: object) -> list[str]:
    """The lines that the command prints."""
    result = CliRunner().invoke(cli, ["index-folder", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def refusal(*arguments: object) -> str:
    result = CliRunner().invoke(cli, ["index-folder", *map(str, arguments)])
    assert result.exit_code == 1, result.output
    return result.output.splitlines()[-1]


def refusal_of_usage(*arguments: object) -> str:
    result = CliRunner().invoke(cli, ["index-folder", *map(str, arguments)])
    assert result.exit_code == 2
    return result.output


def loaded(out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Gallery and queries as the environment independent loads them; each photo is there."""
    tables = (
        IndexedPhotosDataset(str(out / "indexinfo.csv")).load(),
        IndexedPhotosDataset(str(out / "tindexinfo.csv"), labels="test.npy").load(),
    )
    for table, folder in zip(tables, ("traini", "testi"), strict=True):
        files = ImageFilesDataset(str(out / folder)).load()
        assert all(files[path] for path in table["Path"])
    return tables
