"""Dataset of the photos of some Cars196 classes."""

from typing import Any

import pandas as pd

from car_retrieval.data import cars196
from car_retrieval.datasets.photo_lists import PhotoListDataset


class Cars196Dataset(PhotoListDataset):
    """List of Cars196 photos, in any supported layout (see `cars196.list_cars`).

    Args:
        filepath: root folder of Cars196.
        classes: first and last class to list, such as `1-98`.
        metadata: ignored by Kedro, read by plugins.
    """

    def __init__(
        self, filepath: str, classes: str | int, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath, metadata)
        self._classes = str(classes)

    def load(self) -> pd.DataFrame:
        """Read the annotations."""
        return cars196.list_cars(self._path, cars196.parse_classes(self._classes))

    def _describe(self) -> dict[str, Any]:
        return super()._describe() | {"classes": self._classes}
