"""Packing: files by path become blocks of the image matrix."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from car_retrieval.images.crop import Box
from car_retrieval.images.decode import UnreadableImageError, decode
from car_retrieval.images.letterbox import Fill, Interpolation, centre, letterbox
from car_retrieval.images.stream import in_order, read

OVERSAMPLING = 2  # a JPEG decoded at twice the final size loses nothing that can be seen


@dataclass(frozen=True)
class Packing:
    """How a collection was packed, kept with it so that a photo of later is packed alike.

    Attributes:
        size: Side of the squares in pixels.
        fill: What surrounds a picture, see `letterbox`.
        crop_to_box: Whether photos were cut to their labelled box, where they have one.
        interpolation: Kernel of the resizing.
        centre: Share of the short side that is cut out of the middle, see `centre`; None: the whole
            picture is letterboxed.
    """

    size: int
    fill: Fill
    crop_to_box: bool = False
    interpolation: Interpolation = "bicubic"
    centre: float | None = None

    @property
    def decoded_size(self) -> int:
        """Pixels that the long side of a picture keeps at least when it is decoded."""
        return OVERSAMPLING * self.size


def square(pixels: np.ndarray, packing: Packing) -> np.ndarray:
    """Make decoded pixels uint8 [h, w, 3] a square uint8 [3, size, size]."""
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
    """Make pictures squares of one size, a block at a time; memory does not grow with their number.

    Args:
        files: Bytes by relative path; a file is read when its key is, in a worker thread.
        paths: The files to pack, in the order of the matrix.
        boxes: float [n, 4], x1 y1 x2 y2 in 1-based inclusive pixels of the full upright picture;
            a row with NaN, or None for all, keeps the full frame.
        packing: How, but for the boxes.
        workers: Number of threads.
        block: Pictures in a block; the next block is under way while one is being stored.

    Yields:
        uint8 [m, 3, size, size] RGB, m = `block` but for the last.

    Raises:
        UnreadableImageError: A file is missing or not a complete picture, or its box lies
            outside of it; the message starts with its path.
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
