"""How good a network is on the validation photos."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from car_retrieval.matrix import Matrix
from car_retrieval.metrics.retrieval import per_query, required_depth, summarise
from car_retrieval.metrics.verification import verification
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.models.encoder import encode
from car_retrieval.search.exact import search_exact
from car_retrieval.splits import TRAIN, VALID


@dataclass(frozen=True)
class Validation:
    """Validation photos query the training photos.

    Attributes:
        images: uint8 [n, 3, R, R].
        split: Index, Class, split.
        pairs: int64 [m, 3] validation id, training id, same class or not.
        k: of mAP@k.

    Raises:
        ValueError: a pair is not of a validation and a training photo, or wrong about their class.
    """

    images: Matrix | np.ndarray
    split: pd.DataFrame
    pairs: np.ndarray
    k: int

    def __post_init__(self) -> None:
        sides = [self._labels(VALID), self._labels(TRAIN)]
        rows = [
            labels.index.get_indexer(pd.Index(self.pairs[:, side]))
            for side, labels in enumerate(sides)
        ]
        known = (rows[0] >= 0) & (rows[1] >= 0)
        valid, train = (
            labels.to_numpy()[row[known]] for labels, row in zip(sides, rows, strict=True)
        )
        if not known.all() or ((valid == train) != self.pairs[:, 2]).any():
            raise ValueError(
                "valid_pairs do not fit the split: one is not of a validation and a training "
                "photo, or wrong about their classes; run the pipeline data_processing again"
            )

    def __call__(self, net: DescriptorNet) -> dict[str, float]:
        """AUC and EER over the pairs; mAP@k and R@1 of the search."""
        valid, train = self._labels(VALID), self._labels(TRAIN)
        queries = np.concatenate(list(self._describe(net, valid)))
        similarity = np.empty(len(self.pairs), np.float32)
        query_row = valid.index.get_indexer(pd.Index(self.pairs[:, 0]))

        def gallery() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            start = 0
            for vectors in self._describe(net, train):
                ids = train.index.to_numpy()[start : start + len(vectors)]
                start += len(vectors)
                row = pd.Index(ids).get_indexer(pd.Index(self.pairs[:, 1]))
                here = np.flatnonzero(row >= 0)
                products = queries[query_row[here]] * vectors[row[here]]
                similarity[here] = products.sum(axis=1)
                yield ids, vectors

        depth = required_depth(valid, train, self.k)
        result = search_exact(valid.index.to_numpy(), queries, gallery(), depth)
        scores = summarise(per_query(result, valid, train, ks=(1,), k=self.k), train, self.k)
        pairs = verification(similarity, self.pairs[:, 2])
        return {
            "auc": pairs.auc,
            "eer": pairs.eer,
            f"mAP@{self.k}": scores[f"mAP@{self.k}"],
            "MAP@R": scores["MAP@R"],
            "R@1": scores["R@1"],
        }

    def _labels(self, part: str) -> pd.Series:
        chosen = self.split[self.split["split"] == part]
        return chosen.set_index("Index")["Class"]

    def _describe(self, net: DescriptorNet, labels: pd.Series) -> Iterator[np.ndarray]:
        return encode(
            net, self.images, rows=labels.index.to_numpy(), batch_size=256, title="validating"
        )
