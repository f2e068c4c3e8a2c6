"""Descriptors averaged with those of their nearest gallery photos."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from car_retrieval.search.gallery import Gallery
from car_retrieval.search.result import RetrievalResult


@dataclass(frozen=True)
class AugmentedGallery(Gallery):
    """A gallery whose descriptors are averaged with their neighbours' (DBA).

    Averages are made as rows are read, so that neither a second matrix nor its N × N similarities
    are kept: the neighbours' ids and similarities are all.

    Attributes:
        neighbours_of: of every row, in the order of `rows`.
        alpha: see `expanded`.
    """

    neighbours_of: RetrievalResult
    alpha: float

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Averaged descriptors float32 [r, D] of searched rows."""
        at = np.searchsorted(self.rows, rows)
        near = self.neighbours_of
        plain = super().read
        return expanded(plain(rows), near.hits[at], near.scores[at], plain, self.alpha)


@dataclass(frozen=True)
class Expansion:
    """Search with expanded queries (alpha-QE) in an expanded gallery (DBA).

    Attributes:
        gallery: what is searched.
        neighbours: hits that a query is averaged with before it is asked again; 0: none.
        alpha: exponent of the weights; see `expanded`.
    """

    gallery: Gallery
    neighbours: int
    alpha: float

    def search(
        self, query_ids: np.ndarray, queries: np.ndarray, k: int, exclude: np.ndarray | None = None
    ) -> RetrievalResult:
        """Rank the gallery for each query; see `search_exact`."""
        if self.neighbours:
            near = self.gallery.search(query_ids, queries, self.neighbours, exclude)
            queries = expanded(queries, near.hits, near.scores, self.gallery.read, self.alpha)
        return self.gallery.search(query_ids, queries, k, exclude)


def expansion(gallery: Gallery, query_k: int, database_k: int, alpha: float) -> Expansion:
    """Alpha query expansion (alpha-QE) and database-side augmentation (DBA).

    Args:
        gallery: what is searched.
        query_k: hits that a query is averaged with; 0: no query expansion.
        database_k: neighbours that a gallery photo is averaged with; 0: no augmentation.
        alpha: exponent of the weights; see `expanded`.
    """
    if database_k:
        near = gallery.neighbours(database_k)
        gallery = AugmentedGallery(gallery.vectors, gallery.rows, near, alpha)
    return Expansion(gallery, query_k, alpha)


def expanded(
    vectors: np.ndarray,
    hits: np.ndarray,
    scores: np.ndarray,
    read: Callable[[np.ndarray], np.ndarray],
    alpha: float,
) -> np.ndarray:
    """Each vector x plus the sum of sᵢ^alpha gᵢ over its hits gᵢ, brought to unit length.

    The similarity sᵢ = ⟨x, gᵢ⟩ counts as 0 where it is negative. An exponent of 0 is plain average
    query expansion (Chum et al., ICCV 2007), 3 is that of Radenović et al., "Fine-tuning CNN Image
    Retrieval with No Human Annotation", TPAMI 2019. Done to the gallery it is the database-side
    augmentation of Gordo et al., "End-to-end Learning of Deep Visual Representations for Image
    Retrieval", IJCV 2017, with these weights.

    Args:
        vectors: float32 [n, D] of unit length.
        hits: int64 [n, m] gallery rows, -1 for none.
        scores: float32 [n, m] similarities to them.
        read: descriptors of gallery rows.
        alpha: exponent, at least 0.
    """
    weights = np.maximum(scores, 0) ** np.float32(alpha)
    total = vectors.astype(np.float32)
    for place in range(hits.shape[1]):  # one neighbour of all at a time: memory of two blocks
        found = hits[:, place] >= 0
        total[found] += weights[found, place, None] * read(hits[found, place])
    return total / np.linalg.norm(total, axis=1, keepdims=True)
