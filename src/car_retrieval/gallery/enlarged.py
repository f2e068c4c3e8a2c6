"""Gallery of a run with the changes made since, as matrices for evaluation."""

import tempfile
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd

from car_retrieval.data.photo_table import boxes_of
from car_retrieval.gallery.living import LivingGallery, encoder_digest
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.images.pack import Packing, pack
from car_retrieval.io.matrix import Matrix

BLOCK = 16_384


class Rows(Protocol):
    """Rows that are read on demand."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: np.ndarray) -> np.ndarray: ...


class EnlargedMatrix(Matrix):
    """Selected rows of a matrix and added rows.

    Args:
        matrix: the matrix; its attributes and path are those of this one.
        rows: int64 [n], rows of the matrix; -1 for the next of the added rows.
        added: rows of the same shape and dtype, as many as -1 in `rows`.
    """

    def __init__(self, matrix: Matrix, rows: np.ndarray, added: Rows) -> None:
        super().__init__(matrix.path)
        self._matrix, self._rows, self._added = matrix, rows, added
        self._added_before = np.cumsum(rows < 0) - 1  # at an added row its place among them
        self.shape = (len(rows), *matrix.shape[1:])

    def mapped(self) -> np.ndarray:
        """Copy all rows to a temporary file and map it to memory, read-only."""
        with tempfile.TemporaryFile() as file:
            for block in self.blocks(BLOCK):
                np.ascontiguousarray(block).tofile(file)
            file.flush()
            return np.memmap(file, self.dtype, "r", shape=self.shape)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        old = self._rows[rows] >= 0
        found[old] = self._matrix[self._rows[rows[old]]]
        if not old.all():
            found[~old] = self._added[self._added_before[rows[~old]]]
        return found


class PackedPhotos:
    """Photos that are packed when they are read."""

    def __init__(self, files: Mapping[str, bytes], photos: pd.DataFrame, packing: Packing) -> None:
        self._files, self._photos, self._packing = files, photos, packing

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        photos = self._photos.iloc[rows]
        boxes = None if self._packing.crop == "none" else boxes_of(photos)
        packed = pack(self._files, photos["Path"].tolist(), boxes, self._packing, workers=1)
        return np.concatenate(list(packed))


def enlarged(
    descriptors: Matrix, photos: pd.DataFrame, store: GalleryStore
) -> tuple[Matrix, pd.DataFrame]:
    """Apply the changes of a store to the gallery of a run.

    Photos without a class are left out of a gallery with classes, because nothing can be scored
    by them; so are photos that another network described.

    Args:
        descriptors: descriptors of the photos of the run, float32 [n, D].
        photos: their table.
        store: the changes.

    Returns:
        Descriptors and table, Index being the row; the arguments if there is no change.
    """
    if not store.revision:
        return descriptors, photos
    encoder: dict[str, Any] = descriptors.attributes.get("encoder", {})
    vectors = np.asarray(descriptors.mapped())
    snapshot = LivingGallery(photos, vectors, store, encoder_digest(encoder)).snapshot()
    present = snapshot.present
    if photos["Class"].notna().any():
        present = present & snapshot.photos["Class"].notna().to_numpy()
    rows = np.flatnonzero(present)
    table = snapshot.photos.iloc[rows].reset_index(drop=True)
    table["Index"] = np.arange(len(table), dtype=np.int64)
    added = snapshot.added_vectors[rows[rows >= len(photos)] - len(photos)]
    matrix = EnlargedMatrix(descriptors, np.where(rows < len(photos), rows, -1), added)
    return matrix, table.astype({"Class": photos["Class"].dtype})


def enlarged_images(
    images: Matrix, photos: pd.DataFrame, files: Mapping[str, bytes], enlarged: pd.DataFrame
) -> Matrix:
    """Return the packed images of an enlarged gallery; added photos are packed when read.

    Args:
        images: packed images of the photos of the run, uint8 [n, 3, R, R].
        photos: their table.
        files: contents of the files of the gallery by path.
        enlarged: table of the enlarged gallery.

    Returns:
        Images in the order of `enlarged`; the argument if there is no change.
    """
    keys = ["Path", "Hash"]
    places = pd.MultiIndex.from_frame(photos[keys]).get_indexer(
        pd.MultiIndex.from_frame(enlarged[keys])
    )
    if np.array_equal(places, np.arange(len(photos))):
        return images
    packing = Packing(**images.attributes["packing"])
    return EnlargedMatrix(images, places, PackedPhotos(files, enlarged[places < 0], packing))
