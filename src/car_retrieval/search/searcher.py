"""Searcher: an index, and the vectors that re-rank its candidates exactly."""

from dataclasses import dataclass

import numpy as np

from car_retrieval.io.matrix import Matrix
from car_retrieval.search.index import Index, Vectors, check_positive
from car_retrieval.search.products import inner_products, top_k


@dataclass(frozen=True)
class Searcher:
    """An index whose best candidates are ranked again by their exact inner product.

    Attributes:
        index: its ids are rows of `vectors`.
        vectors: float32 [n, D] that were added; a matrix on disk is mapped to memory, so that the
            pages of candidates alone are read.
        rerank: candidates a query; 0: the index' own order and scores.
    """

    index: Index
    vectors: Vectors | None = None
    rerank: int = 0

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k best ids int64 [q, k] and scores float32 [q, k] of queries float32 [q, D].

        -1 and -inf stand only where the index finds fewer than k.
        """
        if not self.rerank:
            return self.index.search(queries, k)
        if self.vectors is None:
            raise ValueError("re-ranking needs the vectors that the index was made of")
        ids, _ = self.index.search(queries, max(k, self.rerank))
        return rerank(queries, ids, self.vectors, k)


def rerank(
    queries: np.ndarray, candidates: np.ndarray, vectors: Vectors, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Order candidates by exact inner product, then by id.

    Args:
        queries: float32 [q, D].
        candidates: int64 [q, m] rows of `vectors`, -1 for none.
        vectors: float32 [n, D].
        k: how many to keep.

    Returns:
        Ids int64 and inner products float32 [q, min(k, m)], -1 and -inf where there is none.

    Raises:
        ValueError: a candidate is no row of the vectors, their dimensions differ, or k is less
            than 1.
    """
    check_positive(k=k)
    mapped = vectors.mapped() if isinstance(vectors, Matrix) else vectors
    scores = inner_products(queries, mapped, candidates)
    return top_k(candidates, scores, k)
