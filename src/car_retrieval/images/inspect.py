"""Inspection of files: completeness, size and hashes."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import pandas as pd
from tqdm import tqdm

from car_retrieval.images.decode import UnreadableImageError, decode
from car_retrieval.images.difference_hash import difference_hash
from car_retrieval.images.stream import in_order, read
from car_retrieval.images.truncated import Truncated

COLUMNS = ["Path", "Width", "Height", "Hash", "DHash", "Truncated", "Problem"]
SEEN_SIDE = 32  # minimum long side for a difference hash, in pixels


class Inspection(NamedTuple):
    """Properties of a decodable image.

    Attributes:
        width: Full upright width in pixels.
        height: Full upright height in pixels.
        digest: Hash of the file, see `digest_of`.
        dhash: Difference hash of the pixels, 16 hex digits: similar for files of one picture.
        truncated: Whether the end marker of the JPEG is missing.
    """

    width: int
    height: int
    digest: str
    dhash: str
    truncated: bool


def inspect(data: bytes, truncated: Truncated = "accept") -> Inspection:
    """Check a picture by decoding it as cheaply as possible (a large JPEG at 1/8 of its size).

    Args:
        data: Bytes of the file.
        truncated: Whether a JPEG may lack its end marker.

    Raises:
        UnreadableImageError: The data are not one complete picture.
    """
    decoded = decode(data, SEEN_SIDE, truncated=truncated)
    dhash = difference_hash(decoded.pixels)
    return Inspection(decoded.width, decoded.height, digest_of(data), dhash, decoded.truncated)


def digest_of(data: bytes) -> str:
    """Hash the bytes of a file (BLAKE2b): 32 hex digits."""
    return blake2b(data, digest_size=16).hexdigest()


def inspect_all(
    files: Mapping[str, bytes],
    paths: Sequence[str],
    workers: int,
    truncated: Truncated = "accept",
) -> pd.DataFrame:
    """Inspect many files; an unreadable one becomes a row with its problem, not an exception.

    Args:
        files: Bytes by relative path, read on access.
        paths: Paths of the files to inspect.
        workers: Number of threads.
        truncated: Whether a JPEG may lack its end marker.

    Returns:
        One row per path, in the same order: Path, Width and Height (full upright size in pixels, 0
        if unreadable), Hash (32 hex digits) and DHash (16), "" if unreadable, Truncated (bool: the
        end marker is missing), Problem ("" if none).
    """

    def row(number: int) -> tuple[str, int, int, str, str, bool, str]:
        path = paths[number]
        try:
            return path, *inspect(read(files, path), truncated), ""
        except UnreadableImageError as error:
            return path, 0, 0, "", "", False, str(error)

    results = in_order(row, len(paths), workers, window=8 * workers)
    rows = list(tqdm(results, "inspecting", len(paths), unit="file", disable=None))
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype({"Path": str, "Width": "int64", "Height": "int64", "Truncated": bool})
