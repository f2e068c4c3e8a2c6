"""Evaluation of retrieval: search depth and scores."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from car_retrieval.metrics.retrieval import per_query, required_depth, summarise
from car_retrieval.params import RerankingParams
from car_retrieval.search.exact import Block, search_exact
from car_retrieval.search.expansion import Expansion, expansion
from car_retrieval.search.gallery import Gallery
from car_retrieval.search.index import Vectors
from car_retrieval.search.kreciprocal import KReciprocal
from car_retrieval.search.result import RetrievalResult


@dataclass(frozen=True)
class RetrievalEvaluator:
    """Evaluator that searches a gallery and scores the rankings.

    Attributes:
        query_labels: classes of the queries by id.
        gallery_labels: classes of the searched photos by id.
        k: cut-off of mAP@k.
        recall_at: cut-offs j of R@j.
        own: equal ids on both sides are the same photo, which a query must not find.
    """

    query_labels: pd.Series
    gallery_labels: pd.Series
    k: int
    recall_at: tuple[int, ...] = (1,)
    own: bool = False

    @property
    def query_ids(self) -> np.ndarray:
        """Query ids int64 [q]."""
        return self.query_labels.index.to_numpy()

    @property
    def depth(self) -> int:
        """Number of hits required by the scores: k, or the size of the largest queried class."""
        deepest = max(self.k, *self.recall_at)
        return max(1, required_depth(self.query_labels, self.gallery_labels, deepest))

    def search(self, queries: np.ndarray, blocks: Iterable[Block]) -> RetrievalResult:
        """Rank blocks of descriptors by exact search for queries float32 [q, D]."""
        ids = self.query_ids
        return search_exact(ids, queries, blocks, self.depth, exclude=ids if self.own else None)

    def rankings(
        self,
        queries: Vectors,
        gallery: Vectors,
        depth: int,
        batch_size: int,
        reranking: RerankingParams | None = None,
    ) -> Iterator[RetrievalResult]:
        """Rank the gallery for batches of queries.

        Args:
            queries: float32 [n, D]; the query ids are its rows.
            gallery: float32 [m, D]; the gallery ids are its rows.
            depth: hits per query.
            batch_size: queries per batch.
            reranking: re-ranking of exact search's hits; None: no re-ranking.
        """
        rows = np.sort(self.gallery_labels.index.to_numpy())
        ranking = _ranking(Gallery(gallery, rows), reranking)
        starts = range(0, len(self.query_ids), batch_size)
        for start in tqdm(starts, desc="searching", unit="batch", disable=None, leave=False):
            ids = self.query_ids[start : start + batch_size]
            yield ranking.search(ids, queries[ids], depth, exclude=ids if self.own else None)

    def per_query(self, result: RetrievalResult) -> pd.DataFrame:
        """Score each query; see `metrics.retrieval.per_query`."""
        return per_query(
            result,
            *(self.query_labels, self.gallery_labels, self.recall_at, self.k),
            self_in_gallery=self.own,
        )

    def summarise(self, by_query: pd.DataFrame) -> dict[str, float]:
        """Means over all queries; see `metrics.retrieval.summarise`."""
        return summarise(by_query, self.gallery_labels, self.k)


def _ranking(gallery: Gallery, params: RerankingParams | None) -> Gallery | Expansion | KReciprocal:
    """Build a plain search, or one with re-ranking."""
    if params is None:
        return gallery
    ranked = expansion if params.kind == "expansion" else KReciprocal
    return ranked(gallery, **params.model_dump(exclude={"kind"}))
