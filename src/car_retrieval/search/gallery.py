"""Gallery of selected rows of a descriptor matrix."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from car_retrieval.search.exact import Block, search_exact
from car_retrieval.search.index import Vectors
from car_retrieval.search.result import RetrievalResult

BLOCK = 16_384
DENSE = 0.8  # share of searched rows from which all rows of a block are read
ASKING = 4_096  # gallery rows per batch of a neighbour search


@dataclass(frozen=True)
class Gallery:
    """Rows to search by inner product, read block by block.

    Attributes:
        vectors: float32 [n, D] of unit length.
        rows: int64 [m], rows to search, ascending; they are the ids of the hits.
    """

    vectors: Vectors
    rows: np.ndarray

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Read descriptors float32 [r, D] of searched rows; consecutive rows are not copied."""
        whole = len(rows) > 0 and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows)))
        return self.vectors[rows[0] : rows[0] + len(rows)] if whole else self.vectors[rows]

    def parts(self, size: int) -> Iterator[Block]:
        """Yield the searched rows and their descriptors, and no others."""
        for start in range(0, len(self.rows), size):
            rows = self.rows[start : start + size]
            yield rows, self.read(rows)

    def blocks(self) -> Iterator[Block]:
        """Yield the searched rows with their descriptors.

        Where few rows are missing, the rows between are read too, with the id -1, because copying
        single rows costs more than comparing them.
        """
        for start in range(0, len(self.rows), BLOCK):
            rows = self.rows[start : start + BLOCK]
            first, stop = int(rows[0]), int(rows[-1]) + 1
            if len(rows) < DENSE * (stop - first):
                yield rows, self.vectors[rows]
                continue
            ids = np.full(stop - first, -1, np.int64)
            ids[rows - first] = rows
            yield ids, self.vectors[first:stop]

    def search(
        self, query_ids: np.ndarray, queries: np.ndarray, k: int, exclude: np.ndarray | None = None
    ) -> RetrievalResult:
        """Rank the gallery for each query; see `search_exact`."""
        return search_exact(query_ids, queries, self.blocks(), k, exclude)

    def neighbours(self, k: int) -> RetrievalResult:
        """Find the k nearest other rows of each row, without m × m similarities."""
        with tqdm(total=len(self.rows), desc="neighbours", unit="photo", disable=None) as bar:
            parts = []
            for rows, vectors in self.parts(ASKING):
                parts.append(self.search(rows, vectors, k, exclude=rows))
                bar.update(len(rows))
        return joined(parts, k)


def joined(parts: list[RetrievalResult], k: int) -> RetrievalResult:
    """Concatenate results with k hits each."""
    none = RetrievalResult(
        np.empty(0, np.int64), np.empty((0, k), np.int64), np.empty((0, k), np.float32)
    )
    columns = ("query_ids", "hits", "scores")
    return RetrievalResult(
        *(np.concatenate([getattr(part, name) for part in [none, *parts]]) for name in columns)
    )
