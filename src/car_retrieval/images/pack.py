"""Packing: files by path become blocks of the image matrix."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from car_retrieval.images.crop import Box
from car_retrieval.images.decode import UnreadableImageError, decode
from car_retrieval.images.letterbox import Fill, letterbox
from car_retrieval.images.stream import in_order, read

OVERSAMPLING = 2  # a JPEG decoded at twice the final size loses nothing that can be seen


@dataclass(frozen=True)
class Packing:
    """How a collection was packed, kept with it so that a photo of later is packed alike.

    Attributes:
        size: Side of the squares in pixels.
        fill: What surrounds a picture, see `letterbox`.
        crop_to_box: Whether photos were cut to their labelled box, where they have one.
    """

    size: int
    fill: Fill
    crop_to_box: bool


def square(pixels: np.ndarray, size: int, fill: Fill) -> np.ndarray:
    """Letterbox decoded pixels uint8 [h, w, 3] to uint8 [3, size, size]."""
    boxed, _ = letterbox(pixels, size, fill)
    return np.ascontiguousarray(boxed.transpose(2, 0, 1))


def pack(
    files: Mapping[str, bytes],
    paths: Sequence[str],
    boxes: np.ndarray | None,
    size: int,
    fill: Fill,
    workers: int,
    block: int = 256,
) -> Iterator[np.ndarray]:
    """Letterbox pictures to one size, a block at a time; memory does not grow with their number.

    Args:
        files: Bytes by relative path; a file is read when its key is, in a worker thread.
        paths: The files to pack, in the order of the matrix.
        boxes: float [n, 4], x1 y1 x2 y2 in 1-based inclusive pixels of the full upright picture;
            a row with NaN, or None for all, keeps the full frame.
        size: Side of the squares in pixels.
        fill: What surrounds a picture, see `letterbox`.
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
            decoded = decode(read(files, paths[row]), OVERSAMPLING * size, box)
        except ValueError as error:
            raise UnreadableImageError(f"{paths[row]}: {error}") from None
        return square(decoded.pixels, size, fill)

    squares = in_order(pack_one, len(paths), workers, window=block)
    gathered: list[np.ndarray] = []
    for pixels in tqdm(squares, "packing", len(paths), unit="image", disable=None):
        gathered.append(pixels)
        if len(gathered) == block:
            yield np.stack(gathered)
            gathered = []
    if gathered:
        yield np.stack(gathered)
