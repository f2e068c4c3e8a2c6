"""Photos, labels and descriptors for tests of nodes."""

from pathlib import Path

import numpy as np
import pandas as pd

from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix


def descriptors(path: Path, rows: int, signature: str) -> Matrix:
    rng = np.random.default_rng(rows)
    vectors = rng.normal(size=(rows, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    attributes = {"encoder": {"weights": signature}, "photos": digest(photos(rows))}
    write_matrix(path, MatrixStream([vectors], attributes))
    return Matrix(path)


def photos(rows: int) -> pd.DataFrame:
    table = pd.DataFrame({"Path": [f"{row}.jpg" for row in range(rows)], "Index": range(rows)})
    looks = [f"{row:02x}" * 8 for row in range(rows)]
    return table.assign(Hash=table["Path"], DHash=looks, Class=table["Index"] % 5)


def labels(rows: int) -> pd.Series:
    return photos(rows).set_index("Index")["Class"]


def roles(table: pd.DataFrame, role: str = "train") -> pd.DataFrame:
    """`training_roles` of a gallery that is one role; there are no queries."""
    return table[["Index", "Class"]].assign(Collection="gallery", Role=role)
