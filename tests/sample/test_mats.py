import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from car_retrieval.sample.mats import make_model_names, surveillance_names
from car_retrieval.sample.models import make_catalogue

CARS = make_catalogue(30, seed=7)


def read(content: bytes):
    return {name: cells for name, cells in loadmat(BytesIO(content)).items() if name[0] != "_"}


def nesting(cells):
    """What kinds of cells each column of a table has: (dtype without length, shape)."""
    return [{(kind(cell), cell.shape) for cell in column} for column in cells.T]


def kind(cell):
    return "U" if cell.dtype.kind == "U" else f"u{cell.itemsize}"


@pytest.fixture(scope="module")
def names():
    return read(make_model_names(CARS))


@pytest.fixture(scope="module")
def surveillance():
    return read(surveillance_names(CARS))["sv_make_model_name"]


def test_row_i_holds_the_name_of_id_i_plus_1(names):
    for car in CARS:
        assert names["make_names"][car.make_id - 1, 0].item() == car.make_name
        assert names["model_names"][car.model_id - 1, 0].item() == car.model_name


def test_unused_ids_are_empty_cells(names):
    used = {car.model_id for car in CARS}
    empty = {row + 1 for row, cell in enumerate(names["model_names"][:, 0]) if cell.size == 0}
    assert empty
    assert empty == set(range(1, len(names["model_names"]) + 1)) - used


def test_some_names_are_padded_and_some_not_ascii(names):
    makes, models = (
        [cell[0].item() for cell in names[table] if cell[0].size]
        for table in ("make_names", "model_names")
    )
    assert any(name.endswith(" ") for name in makes)
    assert any(name.endswith(" ") for name in models)
    assert any(not name.isascii() for name in models)


def test_surveillance_rows_name_the_web_class(surveillance):
    for row, car in zip(surveillance, CARS, strict=True):
        assert [cell.item() for cell in row] == [car.make_name, car.model_name, car.model_id]


def test_surveillance_ids_mix_uint8_and_uint16(surveillance):
    assert {cell.dtype for cell in surveillance[:, 2]} == {np.dtype("u1"), np.dtype("u2")}


def test_nesting(names, surveillance):
    text, small, large = ("U", (1,)), ("u1", (1, 1)), ("u2", (1, 1))
    assert nesting(names["make_names"]) == [{text}]
    assert nesting(names["model_names"]) == [{text, ("u1", (0, 0))}]
    assert nesting(surveillance) == [{text}, {text}, {small, large}]


def test_header_tells_neither_platform_nor_date():
    for content in (make_model_names(CARS), surveillance_names(CARS)):
        text = content[:116].rstrip()
        assert text == b"MATLAB 5.0 MAT-file, Platform: car_retrieval, drawn from a seed"
        assert content[116:128].endswith(b"IM")


@pytest.mark.real_data
def test_nesting_is_that_of_the_release(names, surveillance):
    root = Path(os.environ.get("CAR_RETRIEVAL_REAL_DATA", "")) / "compcars_metadata"
    if not (root / "make_model_name.mat").is_file():
        pytest.skip("CAR_RETRIEVAL_REAL_DATA names no folder with compcars_metadata/")
    real = read((root / "make_model_name.mat").read_bytes())
    assert set(real) == set(names)
    for table, cells in real.items():
        assert nesting(names[table]) == nesting(cells)
        assert names[table].dtype == cells.dtype
    real = read((root / "sv_make_model_name.mat").read_bytes())
    assert nesting(surveillance) == nesting(real["sv_make_model_name"])
