"""Searcher: index with exact re-ranking."""

from dataclasses import dataclass

import numpy as np

from car_retrieval.io.matrix import Matrix
from car_retrieval.search.index import Index, Vectors, check_positive
from car_retrieval.search.products import inner_products, top_k


@dataclass(frozen=True)
class Searcher:
    """Index whose best candidates are re-ranked by exact inner product.

    Attributes:
        index: index whose ids are rows of `vectors`.
        vectors: float32 [n, D], the added vectors; a matrix on disk is mapped to memory, so that
            only the pages of candidates are read.
        rerank: candidates per query; 0: order and scores of the index.
    """

    index: Index
    vectors: Vectors | None = None
    rerank: int = 0

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the best ids int64 [q, k] and scores float32 [q, k] of queries float32 [q, D].

        Missing hits, if the index finds fewer than k, are -1 and -inf.
        """
        if not self.rerank:
            return self.index.search(queries, k)
        if self.vectors is None:
            raise ValueError("re-ranking needs the vectors of the index")
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
        k: number of candidates to keep.

    Returns:
        Ids int64 and inner products float32 [q, min(k, m)]; -1 and -inf for none.

    Raises:
        ValueError: a candidate is not a row of the vectors, the dimensions differ, or k is less
            than 1.
    """
    check_positive(k=k)
    mapped = vectors.mapped() if isinstance(vectors, Matrix) else vectors
    scores = inner_products(queries, mapped, candidates)
    return top_k(candidates, scores, k)
