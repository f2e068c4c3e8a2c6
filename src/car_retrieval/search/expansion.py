"""Query expansion and database-side augmentation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from car_retrieval.search.exact import Block
from car_retrieval.search.gallery import BLOCK, Gallery
from car_retrieval.search.result import RetrievalResult


@dataclass(frozen=True)
class AugmentedGallery(Gallery):
    """Gallery whose descriptors are averaged with their neighbours' (DBA).

    Averages are computed as rows are read; only the neighbours' ids and similarities are stored,
    not a second matrix or N × N similarities.

    Attributes:
        neighbours_of: neighbours of every row, in the order of `rows`.
        alpha: see `expanded`.
    """

    neighbours_of: RetrievalResult
    alpha: float

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Read the averaged descriptors float32 [r, D] of searched rows."""
        at = np.searchsorted(self.rows, rows)
        near = self.neighbours_of
        plain = super().read
        return expanded(plain(rows), near.hits[at], near.scores[at], plain, self.alpha)

    def blocks(self) -> Iterator[Block]:
        """Yield the searched rows and their averaged descriptors."""
        return self.parts(BLOCK)


@dataclass(frozen=True)
class Expansion:
    """Search with expanded queries (alpha-QE) in an expanded gallery (DBA).

    Attributes:
        gallery: gallery to search.
        neighbours: hits averaged with a query before the second search; 0: no query expansion.
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
    """Build a search with alpha query expansion (alpha-QE) and database-side augmentation (DBA).

    Args:
        gallery: gallery to search.
        query_k: hits averaged with a query; 0: no query expansion.
        database_k: neighbours averaged with a gallery photo; 0: no augmentation.
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
    """Add the sum of sᵢ^alpha gᵢ over the hits gᵢ to each vector x, and L2-normalise.

    Negative similarities sᵢ = ⟨x, gᵢ⟩ count as 0. The exponent 0 gives average query expansion
    (Chum et al., ICCV 2007), 3 the one of Radenović et al., "Fine-tuning CNN Image Retrieval with
    No Human Annotation", TPAMI 2019. Applied to the gallery it is the database-side augmentation of
    Gordo et al., "End-to-end Learning of Deep Visual Representations for Image Retrieval", IJCV
    2017, with these weights.

    Args:
        vectors: float32 [n, D] of unit length.
        hits: int64 [n, m] gallery rows, -1 for none.
        scores: float32 [n, m] similarities of the hits.
        read: function that returns the descriptors of gallery rows.
        alpha: exponent, at least 0.
    """
    weights = np.maximum(scores, 0) ** np.float32(alpha)
    total = vectors.astype(np.float32)
    for place in range(
        hits.shape[1]
    ):  # one neighbour of each vector at a time, to hold only two blocks
        found = hits[:, place] >= 0
        total[found] += weights[found, place, None] * read(hits[found, place])
    return total / np.linalg.norm(total, axis=1, keepdims=True)
