"""Figures as PNG files."""

import os
from typing import TYPE_CHECKING

from car_retrieval.datasets.preview import ImagePreview, png_preview
from car_retrieval.datasets.versioned import LocalVersionedDataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FigureDataset(LocalVersionedDataset):
    """A matplotlib figure, saved as PNG and loaded as the bytes of that file."""

    def save(self, data: "Figure") -> None:
        """Draw the figure."""
        path = self.save_path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        data.savefig(part, dpi=110, bbox_inches="tight", format="png")
        os.replace(part, path)

    def load(self) -> bytes:
        """Read the PNG."""
        return self.load_path.read_bytes()

    def preview(self) -> ImagePreview:
        """The figure itself."""
        return png_preview(self.load())
