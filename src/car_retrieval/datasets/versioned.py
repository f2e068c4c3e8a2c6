"""Base class of the project's versioned datasets."""

from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractVersionedDataset, Version
from kedro.io.core import VersionNotFoundError


class LocalVersionedDataset(AbstractVersionedDataset[Any, Any]):
    """Local file or folder at `<filepath>/<version>/<name>`.

    Args:
        filepath: path of the dataset; `~` is expanded.
        version: set by Kedro if the catalog has `versioned: true`.
        metadata: ignored by Kedro, read by plugins.
    """

    def __init__(
        self, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self.metadata = metadata
        path = PurePosixPath(Path(filepath).expanduser().as_posix())
        super().__init__(path, version, exists_function=self._is_complete)

    @property
    def load_path(self) -> Path:
        """Path of the version to load."""
        return Path(self._get_load_path())

    @property
    def save_path(self) -> Path:
        """Path of the version to save."""
        return Path(self._get_save_path())

    def _exists(self) -> bool:
        try:
            return self._is_complete(str(self._get_load_path()))
        except VersionNotFoundError:
            return False

    def _is_complete(self, path: str) -> bool:
        return Path(path).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}
