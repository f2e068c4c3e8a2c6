"""Gallery of a run with the changes made since, as matrices for evaluation."""

import tempfile
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd

from car_retrieval.data.photo_table import boxes_of
from car_retrieval.gallery.living import GallerySnapshot, LivingGallery, encoder_digest
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.images.pack import Packing, pack
from car_retrieval.io.matrix import Matrix

BLOCK = 16_384


class Rows(Protocol):
    """Rows that are read on demand."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: np.ndarray) -> np.ndarray: ...


class EnlargedMatrix(Matrix):
    """Selected rows of a matrix, followed by added rows.

    Args:
        matrix: the matrix; its attributes and path are those of this one.
        kept: int64, the selected rows.
        added: rows of the same shape and dtype.
    """

    def __init__(self, matrix: Matrix, kept: np.ndarray, added: Rows) -> None:
        super().__init__(matrix.path)
        self._matrix, self._kept, self._added = matrix, kept, added
        self.shape = (len(kept) + len(added), *matrix.shape[1:])

    def mapped(self) -> np.ndarray:
        """Copy all rows to a temporary file and map it to memory, read-only."""
        with tempfile.TemporaryFile() as file:
            for block in self.blocks(BLOCK):
                np.ascontiguousarray(block).tofile(file)
            file.flush()
            return np.memmap(file, self.dtype, "r", shape=self.shape)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        old = rows < len(self._kept)
        found[old] = self._matrix[self._kept[rows[old]]]
        if not old.all():
            found[~old] = self._added[rows[~old] - len(self._kept)]
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
    snapshot, rows = _rows(descriptors, photos, store)
    kept, added = _divided(rows, len(photos))
    table = snapshot.photos.iloc[rows].reset_index(drop=True)
    table["Index"] = np.arange(len(table), dtype=np.int64)
    matrix = EnlargedMatrix(descriptors, kept, snapshot.added_vectors[added])
    return matrix, table.astype({"Class": photos["Class"].dtype})


def enlarged_images(
    images: Matrix,
    files: Mapping[str, bytes],
    descriptors: Matrix,
    photos: pd.DataFrame,
    store: GalleryStore,
) -> Matrix:
    """Return the packed images of the rows of `enlarged`; added photos are packed when read."""
    if not store.revision:
        return images
    snapshot, rows = _rows(descriptors, photos, store)
    kept, added = _divided(rows, len(photos))
    packing = Packing(**images.attributes["packing"])
    table = snapshot.photos.iloc[len(photos) + added]
    return EnlargedMatrix(images, kept, PackedPhotos(files, table, packing))


def _rows(
    descriptors: Matrix, photos: pd.DataFrame, store: GalleryStore
) -> tuple[GallerySnapshot, np.ndarray]:
    encoder: dict[str, Any] = descriptors.attributes.get("encoder", {})
    vectors = np.asarray(descriptors.mapped())
    snapshot = LivingGallery(photos, vectors, store, encoder_digest(encoder)).snapshot()
    present = snapshot.present
    if photos["Class"].notna().any():
        present = present & snapshot.photos["Class"].notna().to_numpy()
    return snapshot, np.flatnonzero(present)


def _divided(rows: np.ndarray, listed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide rows into those of the run and numbers of added ones."""
    return rows[rows < listed], rows[rows >= listed] - listed
