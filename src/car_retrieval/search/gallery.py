"""Stream the searched rows of a descriptor matrix."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from car_retrieval.search.exact import Block, search_exact
from car_retrieval.search.index import Vectors
from car_retrieval.search.result import RetrievalResult

BLOCK = 16_384
ASKING = 4_096  # gallery rows that search their neighbours at a time


@dataclass(frozen=True)
class Gallery:
    """Rows to search by inner product, read block by block.

    Attributes:
        vectors: float32 [n, D] of unit length.
        rows: int64 [m], which of them are searched, rising; they are the ids of what is found.
    """

    vectors: Vectors
    rows: np.ndarray

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Descriptors float32 [r, D] of searched rows; of rows without a gap no array is copied."""
        whole = len(rows) > 0 and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows)))
        return self.vectors[rows[0] : rows[0] + len(rows)] if whole else self.vectors[rows]

    def blocks(self, size: int = BLOCK) -> Iterator[Block]:
        """The searched rows with their descriptors."""
        for start in range(0, len(self.rows), size):
            rows = self.rows[start : start + size]
            yield rows, self.read(rows)

    def search(
        self, query_ids: np.ndarray, queries: np.ndarray, k: int, exclude: np.ndarray | None = None
    ) -> RetrievalResult:
        """Rank the gallery for each query; see `search_exact`."""
        return search_exact(query_ids, queries, self.blocks(), k, exclude)

    def neighbours(self, k: int) -> RetrievalResult:
        """The k nearest other rows of each row: m lists, never m × m similarities."""
        with tqdm(total=len(self.rows), desc="neighbours", unit="photo", disable=None) as bar:
            parts = []
            for rows, vectors in self.blocks(ASKING):
                parts.append(self.search(rows, vectors, k, exclude=rows))
                bar.update(len(rows))
        return joined(parts, k)


def joined(parts: list[RetrievalResult], k: int) -> RetrievalResult:
    """Results of k hits each as one."""
    none = RetrievalResult(
        np.empty(0, np.int64), np.empty((0, k), np.int64), np.empty((0, k), np.float32)
    )
    columns = ("query_ids", "hits", "scores")
    return RetrievalResult(
        *(np.concatenate([getattr(part, name) for part in [none, *parts]]) for name in columns)
    )
