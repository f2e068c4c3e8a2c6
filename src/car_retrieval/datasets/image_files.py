"""Dataset of a folder of photos, read one at a time."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from car_retrieval.datasets.preview import ImagePreview, png_preview
from car_retrieval.gallery.record import photo_id

ADDED = "added/"
REPLACED = "replaced"


class ImageFiles(Mapping[str, bytes]):
    """Files of a folder by relative path, read on access.

    Args:
        root: the folder.
        added: folder of copies: of photos from outside the root, whose paths begin with `added/`,
            and of files that are read instead of those in the root.
    """

    def __init__(self, root: Path, added: Path | None = None) -> None:
        self.root, self.added = root, added

    def __getitem__(self, path: str) -> bytes:
        try:
            return self.file(path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError):
            # ValueError: invalid file name, for example with a NUL character.
            raise KeyError(path) from None

    def file(self, path: str) -> Path:
        """Return where the file with a relative path lies."""
        copied = self.copy(path)
        return copied if copied is not None and copied.is_file() else self.root / path

    def copy(self, path: str) -> Path | None:
        """Return where the copy of a file lies, if there is one; None: there is no such folder."""
        if self.added is None:
            return None
        if path.startswith(ADDED):
            return self.added / path.removeprefix(ADDED)
        return self.added / REPLACED / photo_id(path)

    def __iter__(self) -> Iterator[str]:
        files = (file for file in self.root.rglob("*") if file.is_file())
        return iter(sorted(file.relative_to(self.root).as_posix() for file in files))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"ImageFiles({self.root})"


class ImageFilesDataset(AbstractDataset[Any, ImageFiles]):
    """Photos below a folder; read-only.

    Args:
        filepath: folder of the photos; `~` is expanded. With `tree`: folder that is, or contains,
            the tree.
        tree: `data` or `sv_data` for a CompCars tree, whose photos are in `image/`.
        added: folder of copies, see `ImageFiles`.
        metadata: ignored by Kedro, read by plugins.
    """

    def __init__(
        self,
        filepath: str,
        tree: str | None = None,
        added: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._root, self._tree, self.metadata = Path(filepath).expanduser(), tree, metadata
        self._added = Path(added).expanduser() if added else None

    def load(self) -> ImageFiles:
        """Open the folder."""
        from car_retrieval.data.compcars import find_tree

        root = find_tree(self._root, self._tree) / "image" if self._tree else self._root
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: this folder of photos does not exist")
        return ImageFiles(root, self._added)

    def save(self, data: Any) -> None:
        """Raise an error: photos are input only."""
        raise DatasetError(f"{self._root} is read-only")

    def preview(self) -> ImagePreview:
        """Show a contact sheet of photos spread evenly over the folder, without unreadable ones."""
        import numpy as np

        from car_retrieval.images.decode import UnreadableImageError, decode
        from car_retrieval.images.letterbox import letterbox
        from car_retrieval.reporting.photo_grid import contact_sheet

        files, size = self.load(), 96
        paths = list(files)
        squares = []
        for place in np.linspace(0, len(paths) - 1, min(40, len(paths)), dtype=int):
            with suppress(UnreadableImageError):
                pixels = decode(files[paths[place]], 2 * size).pixels
                squares.append(letterbox(pixels, size, "white")[0].transpose(2, 0, 1))
        return png_preview(
            contact_sheet(np.reshape(squares, (-1, 3, size, size)).astype(np.uint8), 8)
        )

    def _exists(self) -> bool:
        return self._root.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._root), "tree": self._tree}
