"""Retrieval and verification scores on the validation photos."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from car_retrieval.data.protocols import Labels, valid_protocol
from car_retrieval.io.matrix import Matrix
from car_retrieval.metrics.chance import chance_of_first_hit
from car_retrieval.metrics.evaluator import RetrievalEvaluator
from car_retrieval.metrics.verification import verification
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.models.encoder import encode
from car_retrieval.training.early_stopping import CHANCE


@dataclass(frozen=True)
class Validation:
    """Validation, whose photos query the training photos or each other; see `valid_protocol`.

    Attributes:
        images: uint8 [n, 3, R, R].
        split: Index, Class, split.
        pairs: int64 [m, 3]: validation id, id of a searched photo, same class or not.
        k: cut-off of mAP@k.

    Raises:
        ValueError: a pair is not of a query and a searched photo, or has the wrong third column.
    """

    images: Matrix | np.ndarray
    split: pd.DataFrame
    pairs: np.ndarray
    k: int

    def __post_init__(self) -> None:
        rows = [
            labels.index.get_indexer(pd.Index(self.pairs[:, side]))
            for side, labels in enumerate(self._sides)
        ]
        known = (rows[0] >= 0) & (rows[1] >= 0) & (self.pairs[:, 0] != self.pairs[:, 1])
        query, found = (
            labels.to_numpy()[row[known]] for labels, row in zip(self._sides, rows, strict=True)
        )
        if not known.all() or ((query == found) != self.pairs[:, 2]).any():
            raise ValueError(
                "valid_pairs do not fit the split: a pair has ids or classes that the split does "
                "not have; run the pipeline data_processing again"
            )

    def __call__(self, net: DescriptorNet) -> dict[str, float]:
        """Compute AUC and EER of the pairs; mAP@k, MAP@R, R@1 and chance R@1 of the search."""
        query_labels, gallery_labels = self._sides
        queries = np.concatenate(list(self._describe(net, query_labels)))
        if not np.isfinite(queries).all():  # the step after the last loss may diverge
            raise FloatingPointError("training: the descriptors are not finite; lower training.lr")
        similarity = np.empty(len(self.pairs), np.float32)
        query_row = query_labels.index.get_indexer(pd.Index(self.pairs[:, 0]))

        def gallery() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            start = 0
            same = gallery_labels is query_labels
            for vectors in [queries] if same else self._describe(net, gallery_labels):
                ids = gallery_labels.index.to_numpy()[start : start + len(vectors)]
                start += len(vectors)
                row = pd.Index(ids).get_indexer(pd.Index(self.pairs[:, 1]))
                here = np.flatnonzero(row >= 0)
                products = queries[query_row[here]] * vectors[row[here]]
                similarity[here] = products.sum(axis=1)
                yield ids, vectors

        evaluator = RetrievalEvaluator(query_labels, gallery_labels, self.k, own=True)
        scores = evaluator.summarise(evaluator.per_query(evaluator.search(queries, gallery())))
        pairs = verification(similarity, self.pairs[:, 2])
        names = (f"mAP@{self.k}", "MAP@R", "R@1")
        chance = chance_of_first_hit(query_labels, gallery_labels, self_in_gallery=True)
        return (
            {"AUC": pairs.auc, "EER": pairs.eer}
            | {name: scores[name] for name in names}
            | {CHANCE: chance}
        )

    @cached_property
    def _sides(self) -> Labels:
        return valid_protocol(self.split)

    def _describe(self, net: DescriptorNet, labels: pd.Series) -> Iterator[np.ndarray]:
        return encode(
            net, self.images, rows=labels.index.to_numpy(), batch_size=64, title="validating"
        )
