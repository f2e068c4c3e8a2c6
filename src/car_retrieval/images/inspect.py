"""Inspecting: which files are complete pictures, of what size, and which are the same."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import pandas as pd
from tqdm import tqdm

from car_retrieval.images.decode import UnreadableImageError, decode
from car_retrieval.images.stream import in_order, read


class Inspection(NamedTuple):
    """What is known of a picture that decodes.

    Attributes:
        width: Full upright width in pixels.
        height: Full upright height in pixels.
        digest: Of the file, see `digest_of`.
    """

    width: int
    height: int
    digest: str


def inspect(data: bytes) -> Inspection:
    """Decode a picture as cheaply as proves it complete (a JPEG at 1/8 of its size).

    Raises:
        UnreadableImageError: The data are not one complete picture.
    """
    decoded = decode(data, min_size=1)
    return Inspection(decoded.width, decoded.height, digest_of(data))


def digest_of(data: bytes) -> str:
    """BLAKE2b hash of a file's bytes, 32 hex digits: equal for copies of one file."""
    return blake2b(data, digest_size=16).hexdigest()


def inspect_all(files: Mapping[str, bytes], paths: Sequence[str], workers: int) -> pd.DataFrame:
    """Inspect many files; a bad one becomes a row that says why, never an exception.

    Args:
        files: Bytes by relative path; a file is read when its key is.
        paths: The files to inspect.
        workers: Number of threads.

    Returns:
        One row for each path, in the same order: Path, Width and Height (full upright size in
        pixels, 0 if unreadable), Hash (32 hex digits, "" if unreadable), Problem ("" if none).
    """

    def row(number: int) -> tuple[str, int, int, str, str]:
        path = paths[number]
        try:
            return path, *inspect(read(files, path)), ""
        except UnreadableImageError as error:
            return path, 0, 0, "", str(error)

    results = in_order(row, len(paths), workers, window=8 * workers)
    rows = list(tqdm(results, "inspecting", len(paths), unit="file", disable=None))
    table = pd.DataFrame(rows, columns=["Path", "Width", "Height", "Hash", "Problem"])
    return table.astype({"Path": str, "Width": "int64", "Height": "int64"})
