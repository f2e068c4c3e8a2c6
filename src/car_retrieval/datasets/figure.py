"""Figures as PNG files."""

from typing import TYPE_CHECKING

from car_retrieval.datasets.preview import ImagePreview, png_preview
from car_retrieval.datasets.versioned import LocalVersionedDataset
from car_retrieval.io.atomic import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FigureDataset(LocalVersionedDataset):
    """A matplotlib figure, saved as PNG and loaded as the bytes of that file."""

    def save(self, data: "Figure") -> None:
        """Draw the figure."""
        with atomic(self.save_path) as part:
            data.savefig(part, dpi=110, bbox_inches="tight", format="png")

    def load(self) -> bytes:
        """Read the PNG."""
        return self.load_path.read_bytes()

    def preview(self) -> ImagePreview:
        """The figure itself."""
        return png_preview(self.load())
