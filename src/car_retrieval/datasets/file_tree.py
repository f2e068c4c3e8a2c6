"""Dataset of a folder, written atomically from a stream of files."""

import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractDataset, DatasetError

MARKER = ".file_tree"
NOTE = b"Written by FileTreeDataset, which replaces this folder as a whole on the next save.\n"


class FileTreeDataset(AbstractDataset[Iterable[tuple[str, bytes]], Path]):
    """Folder of files: saved from (relative path, content) pairs, loaded as its path.

    A save writes a temporary folder, which replaces the old one at the end. Only a folder with the
    marker file of an earlier save is replaced.

    Args:
        filepath: path of the folder; `~` is expanded.
        metadata: ignored by Kedro, read by plugins.
    """

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath).expanduser()
        self.metadata = metadata

    def load(self) -> Path:
        """Return the folder's path."""
        if not self._filepath.is_dir():
            raise DatasetError(f"{self._filepath}: the folder does not exist; save it first")
        return self._filepath

    def save(self, data: Iterable[tuple[str, bytes]]) -> None:
        """Write all files, then replace the folder.

        Raises:
            DatasetError: a path is outside the folder or a duplicate, or the folder was not written
                by FileTreeDataset.
        """
        target = self._filepath
        part, old = (target.with_name(f".{target.name}.{end}") for end in ("part", "old"))
        for folder in (target, part, old):
            _check_ours(folder)
        _remove(part)
        part.mkdir(parents=True)
        try:
            (part / MARKER).write_bytes(NOTE)
            for path, content in data:
                file = part / _checked(path)
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("xb") as stream:
                    stream.write(content)
        except FileExistsError as error:
            _remove(part)
            raise DatasetError(f"{target}: duplicate path {path!r}") from error
        except BaseException:
            _remove(part)
            raise
        _remove(old)
        if target.exists():
            target.rename(old)
        part.rename(target)
        _remove(old)

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _check_ours(folder: Path) -> None:
    if not (folder.exists() or folder.is_symlink()):
        return
    plain = folder.is_dir() and not folder.is_symlink()
    if not plain or (any(folder.iterdir()) and not (folder / MARKER).is_file()):
        raise DatasetError(
            f"{folder}: not replaced, because FileTreeDataset did not write it (no {MARKER}); "
            "choose another filepath or move the folder"
        )


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _checked(path: str) -> PurePosixPath:
    relative = PurePosixPath(path)
    inside = relative.parts and not relative.is_absolute() and ".." not in relative.parts
    if not inside or "\\" in path or ":" in path or relative == PurePosixPath(MARKER):
        raise DatasetError(f"{path!r} is not a relative file path inside the folder")
    return relative
