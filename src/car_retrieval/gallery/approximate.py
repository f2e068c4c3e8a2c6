"""Approximate search of a gallery that changes."""

import math
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from car_retrieval.gallery.living import GallerySnapshot
from car_retrieval.search.index import Index
from car_retrieval.search.products import merged

TAIL = 1_024  # added rows that are searched exactly before the index takes them


class GalleryIndex:
    """Index of a gallery to which photos are added, and from which they are removed.

    New rows are searched exactly; when there are more than `TAIL`, the index takes them, still
    with the quantisers that it was fitted with. Removed rows stay in the index and are left out of
    its hits. Thread-safe.

    Args:
        index: index whose ids are the rows of the run.
    """

    def __init__(self, index: Index) -> None:
        self._index, self._indexed, self._lock = index, len(index), Lock()

    def search(
        self,
        snapshot: GallerySnapshot,
        queries: NDArray[np.float32],
        rows: NDArray[np.int64],
        k: int,
        candidates: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the k best rows of each query.

        Args:
            snapshot: state of the gallery.
            queries: float32 [q, D].
            rows: int64 [m], the rows to search, ascending.
            k: number of rows per query.
            candidates: number of candidates that are re-ranked exactly if all rows are searched.

        Returns:
            Rows int64 and inner products float32 [q, k]; -1 and -inf for none.
        """
        total = len(snapshot.ids)
        wanted = np.zeros(max(total, self._indexed) + 1, bool)  # the last is that of hit -1
        wanted[rows] = True
        with self._lock:
            if total - self._indexed > TAIL:
                first = self._indexed - len(snapshot.listed)
                ids = np.arange(self._indexed, total)
                self._index.add(snapshot.added_vectors[first:], ids)
                self._indexed = total
            indexed = self._indexed
            count = math.ceil(candidates * indexed / max(1, len(rows)))
            hits, _ = self._index.search(queries, max(1, min(count, indexed)))
        hits = np.where(wanted[hits], hits, -1)
        found = snapshot.rerank(queries, hits, k)
        tail = rows[rows >= indexed]
        return merged(found, snapshot.search(queries, tail, k), k) if len(tail) else found
