"""Search results: validated, read-only gallery ids and scores per query."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def row_blocks(rows: int, width: int, cells: int = 1 << 20) -> Iterator[slice]:
    """Yield slices of rows with about `cells` cells each; at least one slice, possibly empty."""
    step = max(1, cells // max(1, width))
    for start in range(0, max(1, rows), step):
        yield slice(start, min(start + step, rows))


@dataclass(frozen=True, eq=False)
class RetrievalResult:
    """Ranked search results, the input of all metrics, galleries and reports.

    The arrays become read-only views, without copies.

    Attributes:
        query_ids: int64 [q], unique.
        hits: int64 [q, k], gallery ids, best first; -1: none, only at the end of a row.
        scores: float32 [q, k], non-increasing in each row; -inf exactly where `hits` is -1.

    Raises:
        ValueError: If an array violates these rules; the message names the query.
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
            raise ValueError("query_ids has duplicate ids")
        for rows in row_blocks(*self.hits.shape):
            self._check_rows(rows)

    def _check_rows(self, rows: slice) -> None:
        hits, scores = self.hits[rows], self.scores[rows]
        found = hits >= 0
        ordered = np.sort(hits, axis=1)
        repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
        for broken, rule in (
            (hits < -1, "has an id below -1"),
            (
                found[:, 1:] & ~found[:, :-1],
                "has a hit after a -1, which is allowed only at the end",
            ),
            (repeated, "has duplicate gallery ids"),
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
        """Remove each query's own id, or else its last hit, so that k decreases by 1."""
        own = self.hits == self.query_ids[:, None]
        kept = np.argsort(own, axis=1, kind="stable")[:, :-1]
        return RetrievalResult(
            self.query_ids,
            np.take_along_axis(self.hits, kept, axis=1),
            np.take_along_axis(self.scores, kept, axis=1),
        )

    def padded(self, missing: int) -> "RetrievalResult":
        """Append columns without hits."""
        wider = ((0, 0), (0, missing))
        return RetrievalResult(
            self.query_ids,
            np.pad(self.hits, wider, constant_values=-1),
            np.pad(self.scores, wider, constant_values=-np.inf),
        )

    def query_classes(
        self, query_labels: pd.Series, rows: slice = slice(None)
    ) -> NDArray[np.int64]:
        """Return the class of each query.

        Args:
            query_labels: Classes indexed by query id; may have more ids than were searched.
            rows: Queries to use.

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
        """Count the gallery photos of each query's class, excluding the query itself.

        Args:
            query_labels: Classes indexed by query id.
            gallery_labels: Classes indexed by gallery id: exactly the searched rows.
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
        """Return a mask of the hits of their query's class.

        Args:
            query_labels: Classes indexed by query id.
            gallery_labels: Classes indexed by gallery id: exactly the searched rows, in any order
                (a selection of a larger table keeps its ids).
            rows: Queries to use; a block limits memory.

        Returns:
            bool [rows, k]; False for no hit.

        Raises:
            ValueError: If a query or a hit has no label.
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
        raise ValueError(f"{name} has duplicate id {labels.index[labels.index.duplicated()][0]}")
    return labels.index.get_indexer(pd.Index(ids))
