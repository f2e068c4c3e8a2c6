"""Matrices on disk, written block by block and read by rows, in constant memory."""

import itertools
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from car_retrieval.io.atomic import atomic


@dataclass(frozen=True)
class MatrixStream:
    """Matrix being written to disk.

    Attributes:
        blocks: arrays [m, ...] of one dtype and row shape, in row order; consumed once.
        attributes: JSON values stored beside the matrix, such as an encoder's signature.
    """

    blocks: Iterable[np.ndarray]
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Matrix:
    """Read-only `.npy` matrix on disk whose rows are read on demand.

    Rows are read with seek and read instead of a memory map: mapped pages count as resident memory,
    so a pass over a mapped matrix has the footprint of loading it.

    Args:
        path: a C-ordered `.npy` file.

    Raises:
        ValueError: the file is damaged, contains objects or is not C-ordered.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            header = np.lib.format.open_memmap(self.path, mode="r")
        except ValueError as error:
            raise ValueError(
                f"{self.path} cannot be read as a matrix: create it again ({error})"
            ) from None
        if header.ndim == 0 or not header.flags.c_contiguous:
            raise ValueError(f"{self.path}: expected a C-ordered matrix with at least one axis")
        self.shape: tuple[int, ...] = header.shape
        self.dtype: np.dtype = header.dtype
        self._offset: int = getattr(header, "offset", 0)

    @property
    def attributes(self) -> dict[str, Any]:
        """JSON values stored beside the matrix."""
        sidecar = attributes_path(self.path)
        return json.loads(sidecar.read_text()) if sidecar.exists() else {}

    @property
    def origin(self) -> tuple[str, str]:
        """Collection and version in `data/<layer>/<collection>/<name>/<version>/<name>`."""
        return self.path.parents[2].name, self.path.parent.name

    def is_same(self, other: "Matrix") -> bool:
        """Return whether both matrices have the same rows of the same file."""
        return self.path == other.path and self.shape == other.shape and type(self) is type(other)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Matrix({self.shape}, {self.dtype}, {self.path.name})"

    def __getitem__(self, rows: int | slice | np.ndarray | list[int]) -> np.ndarray:
        """Read one row, a slice or any selection of rows, in the given order."""
        if isinstance(rows, slice):
            return self._read(np.arange(*rows.indices(len(self))))
        positions = np.asarray(rows)
        if positions.ndim == 0:
            return self._read(self._checked(positions[None]))[0]
        return self._read(self._checked(positions))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def mapped(self) -> np.ndarray:
        """Map all rows to memory, read-only, for random access to few rows."""
        return np.lib.format.open_memmap(self.path, mode="r")

    def blocks(self, size: int, rows: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Yield all rows, or the given ones, in blocks of at most `size`; at least one block."""
        for start in range(0, max(1, len(self) if rows is None else len(rows)), size):
            part = slice(start, start + size)
            yield self[part] if rows is None else self[rows[part]]

    def _checked(self, positions: np.ndarray) -> np.ndarray:
        if positions.ndim > 1 or (len(positions) and positions.dtype.kind not in "iu"):
            raise IndexError(
                f"{self!r} is indexed by integers on one axis, "
                f"not by {positions.dtype} of shape {positions.shape}"
            )
        strange = positions[(positions < -len(self)) | (positions >= len(self))]
        if len(strange):
            raise IndexError(f"row {strange[0]} is out of range for {self!r}")
        rows = positions.astype(np.int64)
        return np.where(rows < 0, rows + len(self), rows)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        """Read rows in the given order; consecutive rows are read at once."""
        row_size = self.dtype.itemsize * math.prod(self.shape[1:])
        content = np.empty(len(rows) * row_size, np.uint8)
        run_starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1).tolist()
        with self.path.open("rb") as file:
            for start, stop in itertools.pairwise([*run_starts, len(rows)]):
                file.seek(self._offset + int(rows[start]) * row_size)
                run = content[start * row_size : stop * row_size]
                if file.readinto(run) < len(run):  # type: ignore[arg-type]  # supports the buffer protocol
                    raise ValueError(f"{self.path} is truncated: create it again")
        return np.ndarray((len(rows), *self.shape[1:]), self.dtype, content)


def attributes_path(path: Path) -> Path:
    """Return the path of the JSON file beside a matrix."""
    return path.with_suffix(".json")


def write_matrix(path: str | Path, data: MatrixStream | np.ndarray) -> None:
    """Write a matrix atomically.

    Args:
        path: `.npy` file to write; its folder is created.
        data: stream of blocks, or an array.

    Raises:
        ValueError: blocks differ in dtype or row shape, or there are none.
    """
    path = Path(path)
    stream = data if isinstance(data, MatrixStream) else MatrixStream([np.asarray(data)])
    attributes = json.dumps(dict(stream.attributes), indent=2)
    try:
        with atomic(path) as part:
            with part.open("wb+") as file:
                _write_blocks(file, stream.blocks, path)
            attributes_path(path).unlink(missing_ok=True)
            if stream.attributes:
                attributes_path(path).write_text(attributes)
    except BaseException:
        if not path.exists():
            attributes_path(path).unlink(missing_ok=True)
        _remove_empty(path.parent)
        raise


def _write_blocks(file: BinaryIO, blocks: Iterable[np.ndarray], path: Path) -> None:
    header: _Header | None = None
    for block in blocks:
        if header is None:
            header = _Header(block.dtype, block.shape[1:])
            header.write(file, rows=0)
        header.check(block, path)
        np.ascontiguousarray(block).tofile(file)
        header.rows += len(block)
    if header is None:
        raise ValueError(f"{path.name}: no rows to write")
    file.seek(0)
    header.write(file, header.rows)
    file.flush()
    os.fsync(file.fileno())


class _Header:
    """`.npy` header, whose length does not depend on the number of rows (padding of NEP 1)."""

    def __init__(self, dtype: np.dtype, row_shape: tuple[int, ...]) -> None:
        self.dtype, self.row_shape, self.rows = dtype, row_shape, 0

    def write(self, file: BinaryIO, rows: int) -> None:
        description = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (rows, *self.row_shape),
        }
        np.lib.format.write_array_header_1_0(file, description)

    def check(self, block: np.ndarray, path: Path) -> None:
        if block.dtype != self.dtype or block.shape[1:] != self.row_shape:
            raise ValueError(
                f"{path.name}: block with {block.dtype} {block.shape[1:]} rows after rows of "
                f"{self.dtype} {self.row_shape}"
            )


def _remove_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
