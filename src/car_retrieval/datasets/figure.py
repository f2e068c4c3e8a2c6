"""Figures as PNG files."""

import base64
from typing import TYPE_CHECKING

from car_retrieval.datasets.matrix import ImagePreview
from car_retrieval.datasets.versioned import LocalVersionedDataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FigureDataset(LocalVersionedDataset):
    """A matplotlib figure, saved as PNG and loaded as the bytes of that file."""

    def save(self, data: "Figure") -> None:
        """Draw the figure."""
        path = self.save_path
        path.parent.mkdir(parents=True, exist_ok=True)
        data.savefig(path, dpi=110, bbox_inches="tight", format="png")

    def load(self) -> bytes:
        """Read the PNG."""
        return self.load_path.read_bytes()

    def preview(self) -> ImagePreview:
        """The figure for Kedro-Viz, as base64."""
        return ImagePreview(base64.b64encode(self.load()).decode())
