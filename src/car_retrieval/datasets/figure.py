"""Datasets of figures and picture grids as PNG files."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Union

from PIL import Image

from car_retrieval.datasets.preview import ImagePreview, png_preview
from car_retrieval.datasets.versioned import LocalVersionedDataset
from car_retrieval.io.atomic import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Picture = Union["Figure", Image.Image]
FAST = 1  # zlib level: a photo grid takes a sixth more bytes than at 6, and a third of the time


class FigureDataset(LocalVersionedDataset):
    """Matplotlib figure or Pillow image, saved as PNG and loaded as the bytes of the file."""

    def save(self, data: Picture) -> None:
        """Write the figure."""
        with atomic(self.save_path) as part:
            _write(data, part)

    def load(self) -> bytes:
        """Read the PNG."""
        return self.load_path.read_bytes()

    def preview(self) -> ImagePreview:
        """Show the figure."""
        return png_preview(self.load())


class FiguresDataset(LocalVersionedDataset):
    """Figures by name, saved as a folder of PNG files and loaded as their bytes."""

    def save(self, data: Mapping[str, Picture]) -> None:
        """Write the figures; the folder appears when all are written."""
        folder = self.save_path
        part = folder.with_name(f"{folder.name}.part")
        try:
            part.mkdir(parents=True)
            for name, figure in data.items():
                _write(figure, part / f"{name}.png")
            part.rename(folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def load(self) -> dict[str, bytes]:
        """Read the PNG files."""
        return {file.stem: file.read_bytes() for file in sorted(self.load_path.glob("*.png"))}

    def preview(self) -> ImagePreview:
        """Show the first figure."""
        return png_preview(next(iter(self.load().values())))


def _write(picture: Picture, path: Path) -> None:
    if isinstance(picture, Image.Image):
        picture.save(path, "PNG", compress_level=FAST)
    else:
        picture.savefig(path, dpi=110, format="png", pil_kwargs={"compress_level": FAST})
