"""Evaluation of a network by retrieval."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from car_retrieval.io.matrix import Matrix
from car_retrieval.metrics.evaluator import RetrievalEvaluator
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.models.encoder import encode
from car_retrieval.search.exact import Block


@dataclass(frozen=True)
class NetworkEvaluator:
    """Evaluator of networks: all queries search the whole gallery, or each other.

    Attributes:
        queries: images uint8 [q, 3, R, R].
        query_labels: classes by row of `queries`.
        gallery: images uint8 [n, 3, R, R].
        gallery_labels: classes by row of `gallery`.
        k: cut-off of mAP@k.
        leave_one_out: whether each query searches the other queries instead of the gallery.
    """

    queries: Matrix | np.ndarray
    query_labels: pd.Series
    gallery: Matrix | np.ndarray
    gallery_labels: pd.Series
    k: int
    leave_one_out: bool = False

    def __call__(self, net: DescriptorNet) -> dict[str, float]:
        """Compute the scores and counts of `summarise`: mAP@k, R@1, MAP@R and others."""
        ids = self.query_labels.index.to_numpy()
        queries = np.concatenate(
            list(encode(net, self.queries, rows=ids, batch_size=64, title="testing"))
        )
        own = self.leave_one_out
        labels = self.query_labels if own else self.gallery_labels
        blocks = [(ids, queries)] if own else self._blocks(net)
        evaluator = RetrievalEvaluator(self.query_labels, labels, self.k, own=own)
        return evaluator.summarise(evaluator.per_query(evaluator.search(queries, blocks)))

    def _blocks(self, net: DescriptorNet) -> Iterator[Block]:
        rows, start = self.gallery_labels.index.to_numpy(), 0
        for vectors in encode(net, self.gallery, rows=rows, batch_size=64, title="testing"):
            yield rows[start : start + len(vectors)], vectors
            start += len(vectors)
