"""Datasets of photo lists: from a CompCars tree or a user's index."""

import posixpath
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from car_retrieval.data import compcars

TAKEN = ("Hash", "DHash", "Width", "Height", "Problem")
OPTIONAL = ["View Point", "Year", "CarMake", *compcars.BOX]


class PhotoListDataset(AbstractDataset[Any, pd.DataFrame]):
    """Table of photos built from files on disk; read-only."""

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path, self.metadata = Path(filepath).expanduser(), metadata

    def save(self, data: Any) -> None:
        """Raise an error: photos are input only."""
        raise DatasetError(f"{self._path} is read-only")

    def _exists(self) -> bool:
        return self._path.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}


class WebNatureDataset(PhotoListDataset):
    """Web photos of CompCars (see `compcars.list_web`)."""

    def load(self) -> pd.DataFrame:
        """Walk the tree."""
        return compcars.list_web(self._path)


class SurveillanceNatureDataset(PhotoListDataset):
    """Surveillance photos of CompCars (see `compcars.list_surveillance`)."""

    def load(self) -> pd.DataFrame:
        """Walk the tree."""
        return compcars.list_surveillance(self._path)


class IndexedPhotosDataset(PhotoListDataset):
    """User's `indexinfo.csv` (Path, Index, Class), validated row by row.

    Args:
        filepath: CSV file; further columns are kept, View Point, Year, CarMake and box as integers.
        labels: `.npy` file beside it, int64 [m, 2] of Index and Class, that selects the rows to use
            and must agree with the CSV; None: all rows.
        metadata: ignored by Kedro, read by plugins.
    """

    def __init__(
        self, filepath: str, labels: str | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath, metadata)
        self._labels = self._path.parent / labels if labels else None

    def load(self) -> pd.DataFrame:
        """Read and validate the list, sorted by Index."""
        table = read_index(self._path)
        if self._labels is not None:
            table = table.iloc[_chosen_rows(table, self._labels, self._path)]
        return table


def read_index(file: Path) -> pd.DataFrame:
    """Read a CSV of Path, Index, Class (integers of up to 64 bits).

    An integer may end in `.0`, which pandas writes in columns with missing values.

    Without classes the column is empty: all missing, dtype Int64.

    Raises:
        ValueError: the CSV is invalid; the message has file, line (1 is the header) and column.
    """
    if not file.exists():
        raise FileNotFoundError(
            f"{file} does not exist: it lists Path, Index and Class of photos; its folder is set "
            "by INDEPENDENT_ROOT, or root in conf/independent/globals.yml. A list of no photos is "
            "its header alone"
        )
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} cannot be read as CSV: save it as UTF-8 ({error})") from None
    except ValueError as error:
        raise ValueError(f"{file} cannot be read as CSV: {str(error).strip()}") from None
    for name in ("Path", "Index", "Class"):
        if name not in table:
            raise ValueError(
                f"{file}: no column {name}; required: Path, Index, Class; found: "
                + ", ".join(f"'{column}'" for column in table.columns)
            )
    for name in TAKEN:
        if name in table:
            raise ValueError(f"{file}: the column name {name} is reserved; rename it")
    lacking = [name for name in compcars.BOX if name not in table]
    if 0 < len(lacking) < len(compcars.BOX):
        raise ValueError(f"{file}: no column {lacking[0]}; a box needs x1, y1, x2 and y2")
    if not isinstance(table.index, pd.RangeIndex):
        raise ValueError(f"{file}, line 2: has more fields than the header")
    table = table.fillna("")
    table["Index"] = _integers(table["Index"], file)
    if len(table) and (table["Class"].str.strip() == "").all():
        table["Class"] = pd.array([pd.NA] * len(table), "Int64")
    else:
        table["Class"] = _integers(table["Class"], file)
    for name in table.columns.intersection(OPTIONAL):
        known = table[name].str.strip() != ""
        table[name] = _integers(table[name].where(known, "0"), file).astype("Int64").where(known)
    _refuse(file, table["Path"], table["Path"].str.strip() == "", "is empty")
    backslash = table["Path"].str.contains("\\", regex=False)
    _refuse(file, table["Path"], backslash, "has a backslash; folders are separated by /")
    plain = table["Path"].map(posixpath.normpath)
    leaves = plain.str.match(r"/|[A-Za-z]:/|\.\.(/|$)")
    _refuse(
        file, table["Path"], leaves, "is outside the folder of photos; a path is relative to it"
    )
    _refuse(file, table["Path"], plain.duplicated(), "is a duplicate path")
    _refuse(file, table["Index"], table["Index"] < 0, "is negative")
    _refuse(file, table["Index"], table["Index"].duplicated(), "is a duplicate")
    return table.sort_values("Index", ignore_index=True)


def _integers(column: pd.Series, file: Path) -> pd.Series:
    text = column.str.strip()
    _refuse(file, column, ~text.str.fullmatch(r"[+-]?\d{1,99}(\.0*)?"), "is not an integer")
    values = text.str.split(".").str[0].map(int).astype(object)
    bounds = np.iinfo(np.int64)
    outside = (values < bounds.min) | (values > bounds.max)
    _refuse(file, column, outside, "exceeds 64 bits")
    return values.astype("int64")


def _refuse(file: Path, column: pd.Series, bad: pd.Series, why: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        more = f" ({int(bad.sum())} such rows)" if bad.sum() > 1 else ""
        raise ValueError(f"{file}, line {row + 2}, {column.name}: '{column[row]}' {why}{more}")


def _chosen_rows(table: pd.DataFrame, labels: Path, file: Path) -> np.ndarray:
    if not labels.exists():
        raise FileNotFoundError(
            f"{labels} does not exist: it contains Index and Class of the queries"
        )
    try:
        with labels.open("rb") as stream:
            chosen = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # numpy raises various exceptions on a damaged file
        raise ValueError(f"{labels} cannot be read as a .npy file: {error}") from None
    if chosen.ndim != 2 or chosen.shape[1] != 2 or not np.issubdtype(chosen.dtype, np.integer):
        raise ValueError(
            f"{labels}: expected integers [n, 2] of Index and Class, found {chosen.dtype} "
            f"{list(chosen.shape)}"
        )
    rows = pd.Index(table["Index"]).get_indexer(chosen[:, 0])
    if (rows < 0).any():
        row = int(np.flatnonzero(rows < 0)[0])
        raise ValueError(f"{labels}, row {row}: Index {chosen[row, 0]} is not in {file.name}")
    differs = table["Class"].to_numpy()[rows] != chosen[:, 1]
    if differs.any():
        row = int(np.flatnonzero(differs)[0])
        raise ValueError(
            f"{labels}, row {row}: Class {chosen[row, 1]} of Index {chosen[row, 0]} differs from "
            f"{table['Class'].iloc[rows[row]]} in {file.name}"
        )
    rows.sort()
    if (twice := rows[1:] == rows[:-1]).any():
        index = table["Index"].iloc[rows[np.argmax(twice)]]
        raise ValueError(f"{labels}: duplicate Index {index}")
    return rows
