"""Approximate search of a gallery that changes."""

import math
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from car_retrieval.gallery.living import GallerySnapshot
from car_retrieval.search.lopq.index import LopqIndex
from car_retrieval.search.products import merged
from car_retrieval.search.recall import recall_against_exact

PENDING = 1_024  # changed rows above which the index is updated
CANDIDATES = 200  # minimum number of LOPQ candidates that are re-ranked exactly
PER_HIT = 10  # minimum number of LOPQ candidates for each requested row
SAMPLE = 500  # queries with which recall is measured
ALWAYS_EXACT = 10_000  # largest number of rows for which exact search is not slower than LOPQ


class GalleryIndex:
    """Index of a gallery to which photos are added, and from which they are removed.

    New rows are searched exactly, and removed rows are left out of the hits. After more than
    `PENDING` changes the index is updated, with the quantisers that it was fitted with.
    Thread-safe.

    Args:
        index: index whose ids are the rows of the run.
    """

    def __init__(self, index: LopqIndex) -> None:
        self._index, self._lock = index, Lock()
        self._held = np.ones(len(index), bool)
        self._revision = 0

    def search(
        self,
        snapshot: GallerySnapshot,
        queries: NDArray[np.float32],
        rows: NDArray[np.int64],
        k: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the k best rows of each query, re-ranked exactly.

        Args:
            snapshot: state of the gallery.
            queries: float32 [q, D].
            rows: int64 [m], the rows to search, ascending.
            k: number of rows per query.

        Returns:
            Rows int64 and inner products float32 [q, k]; -1 and -inf for none.
        """
        with self._lock:
            if snapshot.revision > self._revision:
                self._update(snapshot)
            indexed, size = len(self._held), len(self._index)
            count = math.ceil(max(CANDIDATES, PER_HIT * k) * size / max(1, len(rows)))
            hits, _ = self._index.search(queries, max(1, min(count, size)))
        tail = np.searchsorted(rows, indexed)
        found = snapshot.rerank(queries, _among(rows[:tail], hits), k)
        if tail == len(rows):
            return found
        return merged(found, snapshot.search(queries, rows[tail:], k), k)

    def recall(self, snapshot: GallerySnapshot, rows: NDArray[np.int64], k: int) -> float:
        """Measure which share of the k most similar rows a search finds, on a sample of the rows.

        Args:
            snapshot: state of the gallery.
            rows: int64 [m], the rows to search, ascending.
            k: number of rows per query.
        """
        sample = np.random.default_rng(0).choice(rows, min(SAMPLE, len(rows)), replace=False)
        queries = np.stack([snapshot.vector(row) for row in sample])
        _, exact = snapshot.search(queries, rows, k)
        _, found = self.search(snapshot, queries, rows, k)
        return recall_against_exact(found, exact, k)

    def _update(self, snapshot: GallerySnapshot) -> None:
        """Update the index if enough rows have changed."""
        self._revision, indexed = snapshot.revision, len(self._held)
        removed = np.flatnonzero(self._held & ~snapshot.present[:indexed])
        if len(removed) + len(snapshot.ids) - indexed > PENDING:
            added = indexed + np.flatnonzero(snapshot.present[indexed:])
            self._index.remove(removed)
            self._index.add(snapshot.added_vectors[added - len(snapshot.listed)], added)
            self._held = snapshot.present


def _among(rows: NDArray[np.int64], hits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Replace hits that are not among ascending rows with -1."""
    if not len(rows):
        return np.full_like(hits, -1)
    places = np.minimum(np.searchsorted(rows, hits), len(rows) - 1)
    return np.where(rows[places] == hits, hits, -1)
