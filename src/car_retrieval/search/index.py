"""Interface of compressed indexes."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from car_retrieval.io.matrix import Matrix

Vectors = np.ndarray | Matrix
"""Descriptors float32 [n, D] in memory or on disk."""

ADD_BLOCK = 65_536


class Index(ABC):
    """Searchable compressed vectors.

    An index is fitted once, then filled in any number of batches. It stores codes, not vectors:
    `car_retrieval.search.searcher.rerank` re-ranks its hits exactly, given the vectors.
    """

    kind: ClassVar[str]

    def __init__(self) -> None:
        self._ids = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._ids)

    @abstractmethod
    def fit(self, vectors: np.ndarray, seed: int) -> None:
        """Train on vectors float32 [n, D]; discards added vectors.

        Raises:
            ValueError: there are too few vectors, their dimension does not fit the parameters, or
                they contain NaN or infinity.
        """

    def add(self, vectors: Vectors, ids: np.ndarray | None = None) -> None:
        """Add vectors.

        Args:
            vectors: float32 [n, D]; read block by block.
            ids: integers [n], unique and not negative; None: rows of `vectors`.

        Raises:
            ValueError: ids are not integers, negative, duplicates, or differ in number from the
                vectors; the index is not fitted, or has another dimension; or vectors contain NaN
                or infinity (blocks before that one stay added).
        """
        ids = self._checked_ids(np.arange(len(vectors)) if ids is None else ids, len(vectors))
        for start in range(0, len(ids), ADD_BLOCK):
            block = np.ascontiguousarray(vectors[start : start + ADD_BLOCK], np.float32)
            self._add(block)
            self._ids = np.concatenate([self._ids, ids[start : start + ADD_BLOCK]])

    @abstractmethod
    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the k nearest codes of each query.

        Args:
            queries: float32 [q, D].
            k: number of neighbours, at least 1.

        Returns:
            Ids int64 [q, k], -1 if fewer than k are found, and scores float32 [q, k], descending,
            -inf at -1.

        Raises:
            ValueError: k is less than 1, the index is not fitted, or has another dimension, or
                queries contain NaN or infinity.
        """

    @property
    @abstractmethod
    def bytes_per_vector(self) -> float:
        """Total memory per vector, quantisers included."""

    @abstractmethod
    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the state as arrays and JSON values, see `from_state`."""

    @classmethod
    @abstractmethod
    def from_state(cls, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> "Index":
        """Restore an index from the result of `state`."""

    @abstractmethod
    def _add(self, vectors: np.ndarray) -> None:
        """Add a block of vectors float32 [n, D]."""

    def _checked_ids(self, ids: np.ndarray, count: int) -> np.ndarray:
        ids = np.asarray(ids)
        if ids.shape != (count,):
            raise ValueError(f"{count} vectors have ids of shape {ids.shape}")
        if count and (ids.dtype.kind not in "iu" or ids.max() > np.iinfo(np.int64).max):
            raise ValueError(f"ids must be integers that fit int64, not {ids.dtype}")
        ids = ids.astype(np.int64)
        if count and ids.min() < 0:
            raise ValueError(f"negative id {ids.min()}")
        values, counts = np.unique(ids, return_counts=True)
        again = np.concatenate([values[counts > 1], values[np.isin(values, self._ids)]])
        if len(again):
            raise ValueError(f"duplicate id {again[0]}")
        return ids


def checked_vectors(vectors: np.ndarray, dimension: int | None = None) -> np.ndarray:
    """Return vectors as C-ordered float32 [n, D].

    Raises:
        ValueError: they are not a matrix, have another dimension, or contain NaN or infinity.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    if vectors.ndim != 2 or dimension not in (None, vectors.shape[1]):
        wanted = "n, D" if dimension is None else f"n, {dimension}"
        raise ValueError(f"vectors have shape {vectors.shape} instead of [{wanted}]")
    if not np.isfinite(vectors).all():
        raise ValueError("vectors have non-finite values")
    return vectors


def check_positive(**numbers: int) -> None:
    """Raise ValueError if a named number is less than 1."""
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f"{name} = {value}: it must be at least 1")
