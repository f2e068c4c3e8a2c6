"""Datasets of matrices as `.npy` files: descriptors, pairs, packed images."""

import json

import numpy as np

from car_retrieval.datasets.preview import ImagePreview, JSONPreview, png_preview
from car_retrieval.datasets.versioned import LocalVersionedDataset
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix


class MatrixDataset(LocalVersionedDataset):
    """`.npy` file, saved from an array or a `MatrixStream`, loaded as a `Matrix`.

    A stream that fails leaves no version.
    """

    def save(self, data: MatrixStream | np.ndarray) -> None:
        """Write the matrix block by block."""
        write_matrix(self.save_path, data)

    def load(self) -> Matrix:
        """Open the matrix; rows are read on demand."""
        return Matrix(self.load_path)

    def preview(self) -> JSONPreview:
        """Show shape, dtype, attributes and the upper left corner."""
        matrix = self.load()
        about = {"shape": matrix.shape, "dtype": str(matrix.dtype)} | matrix.attributes
        corner = [" ".join(map(str, row)) for row in matrix[:5][:, :8].round(3)]
        return JSONPreview(json.dumps(about | {"corner": corner}))


class ImageMatrixDataset(MatrixDataset):
    """Packed images uint8 [n, 3, R, R], previewed in Kedro-Viz as a contact sheet."""

    def preview(self) -> ImagePreview:  # type: ignore[override]  # Kedro-Viz selects by type
        """Show a contact sheet of photos spread evenly over the matrix."""
        from car_retrieval.reporting.photo_grid import contact_sheet

        images = self.load()
        rows = np.linspace(0, len(images) - 1, min(40, len(images)), dtype=int)
        return png_preview(contact_sheet(images[rows], columns=8))
