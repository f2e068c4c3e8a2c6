"""What every compressed index can do."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from car_retrieval.matrix import Matrix

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
        self._ids: list[np.ndarray] = []

    def __len__(self) -> int:
        return sum(map(len, self._ids))

    @abstractmethod
    def fit(self, vectors: np.ndarray, seed: int) -> None:
        """Learn from vectors float32 [n, D]; forgets what was added.

        Raises:
            ValueError: they are too few, or their dimension does not suit the parameters.
        """

    def add(self, vectors: Vectors, ids: np.ndarray | None = None) -> None:
        """Add vectors.

        Args:
            vectors: float32 [n, D]; read block by block.
            ids: int64 [n], not negative and each once; None: their rows.

        Raises:
            ValueError: ids are negative, there before, or not as many as vectors.
        """
        ids = np.arange(len(vectors)) if ids is None else np.asarray(ids, np.int64)
        self._check_ids(ids, len(vectors))
        for start in range(0, len(ids), ADD_BLOCK):
            block = np.ascontiguousarray(vectors[start : start + ADD_BLOCK], np.float32)
            self._add(block)
            self._ids.append(ids[start : start + ADD_BLOCK])

    @abstractmethod
    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest codes of each query.

        Args:
            queries: float32 [q, D].
            k: how many.

        Returns:
            Ids int64 [q, k], -1 only where fewer than k are found, and scores float32 [q, k],
            falling, -inf at -1.
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

    def _check_ids(self, ids: np.ndarray, count: int) -> None:
        if ids.shape != (count,):
            raise ValueError(f"{count} vectors were given ids of shape {ids.shape}")
        if len(ids) and ids.min() < 0:
            raise ValueError(f"the id {ids.min()} is negative")
        values, counts = np.unique(ids, return_counts=True)
        again = values[counts > 1]
        if not len(again):
            shared = (np.intersect1d(values, known) for known in self._ids)
            again = np.concatenate([again, *shared])
        if len(again):
            raise ValueError(f"the id {again[0]} is given twice")
