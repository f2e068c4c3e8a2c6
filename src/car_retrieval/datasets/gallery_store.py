"""Dataset of the changes to a gallery."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from car_retrieval.gallery.store import GalleryStore


class GalleryStoreDataset(AbstractDataset[Any, GalleryStore]):
    """Photos added, corrected and removed since a run; runs read it, commands change it.

    Args:
        filepath: the SQLite file; `~` is expanded. It need not exist.
        metadata: ignored by Kedro, read by plugins.
    """

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path, self.metadata = Path(filepath).expanduser(), metadata

    def load(self) -> GalleryStore:
        """Open the store."""
        return GalleryStore(self._path)

    def save(self, data: Any) -> None:
        """Raise an error: `kedro gallery` changes the store."""
        raise DatasetError(f"{self._path} is changed by `kedro gallery`, not by a run")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}
