"""Packing of photos into blocks of the image matrix."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from tqdm import tqdm

from car_retrieval.images.crop import Box
from car_retrieval.images.decode import UnreadableImageError, decode
from car_retrieval.images.letterbox import Fill, Interpolation, centre, letterbox
from car_retrieval.images.stream import in_order, read

Crop = Literal["none", "box", "auto"]

OVERSAMPLING = 2  # decoding a JPEG at twice the final size has no visible loss


@dataclass(frozen=True)
class Packing:
    """Packing settings of a collection, stored with it to pack later photos the same way.

    Attributes:
        size: Side of the squares in pixels.
        fill: Padding, see `letterbox`.
        crop: Crop of photos. `none`: no crop; `box`: labelled box, if any; `auto`: labelled box, or
            else the box of the detected car.
        interpolation: Resizing kernel.
        centre: Share of the short side kept by the centre crop, see `centre`; None: letterbox the
            whole picture.
    """

    size: int
    fill: Fill
    crop: Crop = "none"
    interpolation: Interpolation = "bicubic"
    centre: float | None = None

    @property
    def decoded_size(self) -> int:
        """Minimum long side of decoded pictures in pixels."""
        return OVERSAMPLING * self.size


def square(pixels: np.ndarray, packing: Packing) -> np.ndarray:
    """Convert decoded pixels uint8 [h, w, 3] to a square uint8 [3, size, size]."""
    if packing.centre is None:
        made, _ = letterbox(pixels, packing.size, packing.fill, packing.interpolation)
    else:
        made = centre(pixels, packing.size, packing.centre, packing.interpolation)
    return np.ascontiguousarray(made.transpose(2, 0, 1))


def pack(
    files: Mapping[str, bytes],
    paths: Sequence[str],
    boxes: np.ndarray | None,
    packing: Packing,
    workers: int,
    block: int = 256,
) -> Iterator[np.ndarray]:
    """Pack pictures as squares of one size, block by block, in constant memory.

    Args:
        files: Bytes by relative path, read on access, in a worker thread.
        paths: Paths of the files to pack, in the order of the matrix.
        boxes: float [n, 4], x1 y1 x2 y2 in 1-based inclusive pixels of the full upright picture;
            NaN in a row, or None for all: full frame.
        packing: Packing settings, except the boxes.
        workers: Number of threads.
        block: Pictures per block; the next block is packed while one is stored.

    Yields:
        uint8 [m, 3, size, size] RGB, m = `block` except for the last; one block without photos.

    Raises:
        UnreadableImageError: A file is missing or not a complete picture, or its box is outside the
            picture; the message starts with its path.
    """

    def pack_one(row: int) -> np.ndarray:
        box = None if boxes is None or np.isnan(boxes[row]).any() else Box(*boxes[row])
        try:
            decoded = decode(read(files, paths[row]), packing.decoded_size, box)
        except ValueError as error:
            raise UnreadableImageError(f"{paths[row]}: {error}") from None
        return square(decoded.pixels, packing)

    squares = in_order(pack_one, len(paths), workers, window=block)
    gathered: list[np.ndarray] = []
    for pixels in tqdm(squares, "packing", len(paths), unit="image", disable=None):
        gathered.append(pixels)
        if len(gathered) == block:
            yield np.stack(gathered)
            gathered = []
    if gathered:
        yield np.stack(gathered)
    if not paths:
        yield np.empty((0, 3, packing.size, packing.size), np.uint8)
