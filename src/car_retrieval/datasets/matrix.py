"""Matrices as `.npy` files: descriptors, pairs, packed images."""

import base64
import io
from typing import TYPE_CHECKING, NewType

from car_retrieval.datasets.versioned import LocalVersionedDataset
from car_retrieval.matrix import Matrix, MatrixStream, write_matrix

if TYPE_CHECKING:
    from PIL.Image import Image

ImagePreview = NewType("ImagePreview", str)
"""Kedro-Viz recognises a preview by this name: a base64 PNG."""


class MatrixDataset(LocalVersionedDataset):
    """A `.npy` file, saved from an array or a `MatrixStream`, loaded as a `Matrix`.

    A stream that fails leaves no version behind.
    """

    def save(self, data: "MatrixStream") -> None:
        """Write the matrix block by block."""
        write_matrix(self.save_path, data)

    def load(self) -> Matrix:
        """Open the matrix; rows are read on demand."""
        return Matrix(self.load_path)


class ImageMatrixDataset(MatrixDataset):
    """Packed images uint8 [n, 3, R, R], previewed in Kedro-Viz as a contact sheet."""

    def preview(self) -> ImagePreview:
        """Photos spread evenly over the matrix, as a base64 PNG."""
        import numpy as np

        from car_retrieval.reporting.gallery import contact_sheet

        images = self.load()
        rows = np.linspace(0, len(images) - 1, min(40, len(images)), dtype=int)
        return png_preview(contact_sheet(images[rows], columns=8))


def png_preview(image: "Image") -> ImagePreview:
    """A picture as the base64 PNG that Kedro-Viz shows."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return ImagePreview(base64.b64encode(buffer.getvalue()).decode())
