"""Interface of every compressed index."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from car_retrieval.io.matrix import Matrix

Vectors = np.ndarray | Matrix
"""Descriptors float32 [n, D], in memory or on disk."""

ADD_BLOCK = 65_536


class Index(ABC):
    """Compressed vectors that can be searched.

    An index is fitted once, then filled, in as many batches as one likes. It keeps codes, not
    vectors: `car_retrieval.search.rerank` makes its answers exact where the vectors are at hand.
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
            ValueError: they are too few, their dimension does not suit the parameters, or they
                hold NaN or infinity.
        """

    def add(self, vectors: Vectors, ids: np.ndarray | None = None) -> None:
        """Add vectors.

        Args:
            vectors: float32 [n, D]; read block by block.
            ids: integers [n], not negative and each once; None: their rows.

        Raises:
            ValueError: ids are no integers, negative, there before, or not as many as vectors; or
                the index is not fitted, or to vectors of another dimension; or they hold NaN or
                infinity, where blocks before the bad one stay added.
        """
        ids = self._checked_ids(np.arange(len(vectors)) if ids is None else ids, len(vectors))
        for start in range(0, len(ids), ADD_BLOCK):
            block = np.ascontiguousarray(vectors[start : start + ADD_BLOCK], np.float32)
            self._add(block)
            self._ids = np.concatenate([self._ids, ids[start : start + ADD_BLOCK]])

    @abstractmethod
    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest codes of each query.

        Args:
            queries: float32 [q, D].
            k: how many, at least 1.

        Returns:
            Ids int64 [q, k], -1 only where fewer than k are found, and scores float32 [q, k],
            falling, -inf at -1.

        Raises:
            ValueError: k is less than 1, the index is not fitted, or to another dimension, or
                queries hold NaN or infinity.
        """

    @property
    @abstractmethod
    def bytes_per_vector(self) -> float:
        """Memory of all that is kept, quantisers included, a vector."""

    @abstractmethod
    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and JSON values that `from_state` makes the same index of."""

    @classmethod
    @abstractmethod
    def from_state(cls, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> "Index":
        """An index as it was."""

    @abstractmethod
    def _add(self, vectors: np.ndarray) -> None:
        """Add a block of vectors float32 [n, D]."""

    def _checked_ids(self, ids: np.ndarray, count: int) -> np.ndarray:
        ids = np.asarray(ids)
        if ids.shape != (count,):
            raise ValueError(f"{count} vectors were given ids of shape {ids.shape}")
        if count and (ids.dtype.kind not in "iu" or ids.max() > np.iinfo(np.int64).max):
            raise ValueError(f"ids are integers that fit int64, not {ids.dtype}")
        ids = ids.astype(np.int64)
        if count and ids.min() < 0:
            raise ValueError(f"the id {ids.min()} is negative")
        values, counts = np.unique(ids, return_counts=True)
        again = np.concatenate([values[counts > 1], values[np.isin(values, self._ids)]])
        if len(again):
            raise ValueError(f"the id {again[0]} is given twice")
        return ids


def checked_vectors(vectors: np.ndarray, dimension: int | None = None) -> np.ndarray:
    """Vectors as C-ordered float32 [n, D].

    Raises:
        ValueError: they are no matrix, have another dimension, or hold NaN or infinity.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    if vectors.ndim != 2 or dimension not in (None, vectors.shape[1]):
        wanted = "n, D" if dimension is None else f"n, {dimension}"
        raise ValueError(f"the vectors have the shape {vectors.shape} instead of [{wanted}]")
    if not np.isfinite(vectors).all():
        raise ValueError("the vectors hold a value that is not finite")
    return vectors


def check_positive(**wanted: int) -> None:
    """Raise ValueError where a number wanted, by name, is less than 1."""
    for name, value in wanted.items():
        if value < 1:
            raise ValueError(f"{name} = {value}: it must be at least 1")
