"""Search result: ranked gallery ids and scores per query, checked once, then read-only."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def row_blocks(rows: int, width: int, cells: int = 1 << 20) -> Iterator[slice]:
    """Slices of about `cells` cells each, so that memory stays flat; at least one, maybe empty."""
    step = max(1, cells // max(1, width))
    for start in range(0, max(1, rows), step):
        yield slice(start, min(start + step, rows))


@dataclass(frozen=True, eq=False)
class RetrievalResult:
    """Ranked search results; the one input of every metric, gallery and report.

    The arrays become read-only views: nothing is copied.

    Attributes:
        query_ids: int64 [q], each once.
        hits: int64 [q, k], gallery ids, best first; -1 = no such neighbour, at a row's end only.
        scores: float32 [q, k], non-increasing in each row; -inf exactly where `hits` is -1.

    Raises:
        ValueError: If an array breaks one of these rules; the message names the query.
    """

    query_ids: NDArray[np.int64]
    hits: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, dtype, dimensions in (
            ("query_ids", np.int64, 1),
            ("hits", np.int64, 2),
            ("scores", np.float32, 2),
        ):
            array = np.asarray(getattr(self, name))
            if array.dtype != dtype or array.ndim != dimensions:
                raise ValueError(
                    f"{name} must be {np.dtype(dtype)} with {dimensions} dimension(s), "
                    f"not {array.dtype} of shape {array.shape}"
                )
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if not len(self.query_ids) == len(self.hits) or self.hits.shape != self.scores.shape:
            raise ValueError(
                f"query_ids {self.query_ids.shape}, hits {self.hits.shape} and scores "
                f"{self.scores.shape} must have the shapes (q,), (q, k) and (q, k)"
            )
        if len(np.unique(self.query_ids)) < len(self.query_ids):
            raise ValueError("query_ids holds an id more than once")
        for rows in row_blocks(*self.hits.shape):
            self._check_rows(rows)

    def _check_rows(self, rows: slice) -> None:
        hits, scores = self.hits[rows], self.scores[rows]
        found = hits >= 0
        ordered = np.sort(hits, axis=1)
        repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
        for broken, rule in (
            (hits < -1, "holds an id below -1"),
            (found[:, 1:] & ~found[:, :-1], "has a hit behind a -1; -1 belongs at the row's end"),
            (repeated, "holds a gallery id more than once"),
            (found & ~np.isfinite(scores), "has a hit whose score is not finite"),
            (~found & (scores != -np.inf), "has a -1 whose score is not -inf"),
            (scores[:, 1:] > scores[:, :-1], "has scores that increase along the row"),
        ):
            if broken.any():
                row = rows.start + int(np.argmax(broken.any(axis=1)))
                raise ValueError(f"the row of query id {self.query_ids[row]} (row {row}) {rule}")

    def __repr__(self) -> str:
        queries, depth = self.hits.shape
        return f"RetrievalResult({queries} queries, {depth} hits each)"

    @property
    def depth(self) -> int:
        """Length k of the rankings."""
        return self.hits.shape[1]

    def without_own(self) -> "RetrievalResult":
        """The same, one hit shorter, without each query's own id; else without its last hit."""
        own = self.hits == self.query_ids[:, None]
        kept = np.argsort(own, axis=1, kind="stable")[:, :-1]
        return RetrievalResult(
            self.query_ids,
            np.take_along_axis(self.hits, kept, axis=1),
            np.take_along_axis(self.scores, kept, axis=1),
        )

    def padded(self, missing: int) -> "RetrievalResult":
        """The same with so many more places, which hold no hit."""
        wider = ((0, 0), (0, missing))
        return RetrievalResult(
            self.query_ids,
            np.pad(self.hits, wider, constant_values=-1),
            np.pad(self.scores, wider, constant_values=-np.inf),
        )

    def query_classes(
        self, query_labels: pd.Series, rows: slice = slice(None)
    ) -> NDArray[np.int64]:
        """Class of each query.

        Args:
            query_labels: Classes indexed by query id; may hold more ids than were searched.
            rows: The queries to answer for.

        Returns:
            int64 [rows].

        Raises:
            ValueError: If a query has no label.
        """
        ids = self.query_ids[rows]
        positions = _positions(query_labels, ids, "query_labels")
        if (positions < 0).any():
            raise ValueError(f"query id {ids[positions < 0][0]} is not in query_labels")
        return query_labels.to_numpy()[positions]

    def relevant(
        self, query_labels: pd.Series, gallery_labels: pd.Series, self_in_gallery: bool
    ) -> NDArray[np.int64]:
        """Number of gallery photos of each query's class, excluding the query itself.

        Args:
            query_labels: Classes indexed by query id.
            gallery_labels: Classes indexed by gallery id: exactly the rows that were searched.
            self_in_gallery: An equal id on both sides is the same photo.

        Returns:
            int64 [q].
        """
        classes = self.query_classes(query_labels)
        sizes = gallery_labels.value_counts()
        relevant = sizes.reindex(classes, fill_value=0).to_numpy().astype(np.int64)
        if self_in_gallery:
            relevant -= gallery_labels.reindex(self.query_ids).to_numpy() == classes
        return relevant

    def relevance(
        self, query_labels: pd.Series, gallery_labels: pd.Series, rows: slice = slice(None)
    ) -> NDArray[np.bool_]:
        """Mask of the hits that belong to the class of their query.

        Args:
            query_labels: Classes indexed by query id.
            gallery_labels: Classes indexed by gallery id: exactly the rows that were searched,
                in any order (a selection of a larger table keeps its ids).
            rows: The queries to answer for; a block keeps memory flat.

        Returns:
            bool [rows, k]; False where there is no hit.

        Raises:
            ValueError: If a query has no label, or a hit is not a row of the searched gallery.
        """
        hits = self.hits[rows]
        found = hits >= 0
        positions = _positions(gallery_labels, hits.ravel(), "gallery_labels").reshape(hits.shape)
        unknown = found & (positions < 0)
        if unknown.any():
            raise ValueError(f"hit id {hits[unknown][0]} is not in gallery_labels")
        classes = np.broadcast_to(self.query_classes(query_labels, rows)[:, None], hits.shape)
        relevant = np.zeros(hits.shape, dtype=bool)
        relevant[found] = gallery_labels.to_numpy()[positions[found]] == classes[found]
        return relevant


def _positions(labels: pd.Series, ids: NDArray[np.int64], name: str) -> NDArray[np.intp]:
    if not labels.index.is_unique:
        raise ValueError(f"{name} holds id {labels.index[labels.index.duplicated()][0]} twice")
    return labels.index.get_indexer(pd.Index(ids))
