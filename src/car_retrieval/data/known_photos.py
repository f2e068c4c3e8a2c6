"""Photos that a network knows: what it was trained on, and what was listed beside it."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from car_retrieval.data.splits import TRAIN

OTHER, NEW = "other", "new"
GALLERY, SEARCHED, QUERIES = "gallery", "searched by test", "queries"
"""Values of the column Collection of the table `training_roles`."""


@dataclass(frozen=True, eq=False)
class KnownPhotos:
    """Photos of the gallery that a network was trained on, by 8 bytes of their content.

    Half a megabyte for 67,732 photos; two of them share a key by chance in one case of 8 billion.

    Attributes:
        train: int64 [t], keys of the training photos, ascending.
        other: int64 [o], keys of the other photos of that gallery, ascending.
    """

    train: NDArray[np.int64]
    other: NDArray[np.int64]

    @classmethod
    def of(cls, split: pd.DataFrame, trained: bool = True) -> "KnownPhotos":
        """Take the photos of a split.

        Args:
            split: Hash and split of the gallery photos.
            trained: whether the photos of `train` train; False for an untrained network.
        """
        keys = _keys(split["Hash"])
        train = (split["split"] == TRAIN).to_numpy() & trained
        return cls(np.unique(keys[train]), np.setdiff1d(keys[~train], keys[train]))

    def roles(self, hashes: pd.Series) -> pd.Series:
        """Return `train`, `other` or `new` for each Hash, by the index of `hashes`."""
        keys = _keys(hashes)
        known = np.where(np.isin(keys, self.other), OTHER, NEW)
        return pd.Series(np.where(np.isin(keys, self.train), TRAIN, known), hashes.index, dtype=str)


def _keys(hashes: Iterable[str]) -> NDArray[np.int64]:
    digests = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in hashes)
    return np.frombuffer(digests, "<i8").astype(np.int64)
