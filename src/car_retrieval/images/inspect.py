"""Inspection of files: completeness, size and hashes."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import pandas as pd
from tqdm import tqdm

from car_retrieval.images.decode import UnreadableImageError, decode
from car_retrieval.images.difference_hash import difference_hash
from car_retrieval.images.stream import in_order, read

SEEN_SIDE = 32  # minimum long side for a difference hash, in pixels


class Inspection(NamedTuple):
    """Properties of a decodable image.

    Attributes:
        width: Full upright width in pixels.
        height: Full upright height in pixels.
        digest: Hash of the file, see `digest_of`.
        dhash: Difference hash of the pixels, 16 hex digits: similar for files of one picture.
    """

    width: int
    height: int
    digest: str
    dhash: str


def inspect(data: bytes) -> Inspection:
    """Check a picture by decoding it as cheaply as possible (a large JPEG at 1/8 of its size).

    Raises:
        UnreadableImageError: The data are not one complete picture.
    """
    decoded = decode(data, min_size=SEEN_SIDE)
    dhash = difference_hash(decoded.pixels)
    return Inspection(decoded.width, decoded.height, digest_of(data), dhash)


def digest_of(data: bytes) -> str:
    """Hash the bytes of a file (BLAKE2b): 32 hex digits."""
    return blake2b(data, digest_size=16).hexdigest()


def inspect_all(files: Mapping[str, bytes], paths: Sequence[str], workers: int) -> pd.DataFrame:
    """Inspect many files; an unreadable one becomes a row with its problem, not an exception.

    Args:
        files: Bytes by relative path, read on access.
        paths: Paths of the files to inspect.
        workers: Number of threads.

    Returns:
        One row per path, in the same order: Path, Width and Height (full upright size in pixels, 0
        if unreadable), Hash (32 hex digits) and DHash (16), "" if unreadable, Problem ("" if none).
    """

    def row(number: int) -> tuple[str, int, int, str, str, str]:
        path = paths[number]
        try:
            return path, *inspect(read(files, path)), ""
        except UnreadableImageError as error:
            return path, 0, 0, "", "", str(error)

    results = in_order(row, len(paths), workers, window=8 * workers)
    rows = list(tqdm(results, "inspecting", len(paths), unit="file", disable=None))
    table = pd.DataFrame(rows, columns=["Path", "Width", "Height", "Hash", "DHash", "Problem"])
    return table.astype({"Path": str, "Width": "int64", "Height": "int64"})
