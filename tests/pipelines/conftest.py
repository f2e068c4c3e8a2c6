"""Packed images for tests of nodes."""

from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.made_up import photos

from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix

PACKING = {"size": 32, "fill": "mean", "crop": "none"}


@pytest.fixture
def packed(tmp_path: Path) -> Matrix:
    """Images of ten photos."""
    blocks = [np.zeros((10, 3, 32, 32), np.uint8)]
    attributes = {"photos": digest(photos(10)), "packing": PACKING}
    write_matrix(tmp_path / "i.npy", MatrixStream(blocks, attributes))
    return Matrix(tmp_path / "i.npy")
