"""Search of a folder for photos, without hidden files and files of other kinds."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".avif", ".jp2", ".j2k", ".ppm", ".pgm", ".pnm"),
}
NO_PHOTOS = {"__MACOSX", "@eaDir"}


class Walk(NamedTuple):
    """Contents of a folder tree.

    Attributes:
        photos: relative paths with forward slashes, sorted.
        bad_names: photos whose names cannot be listed, with the reason.
        other: number of other files by suffix.
    """

    photos: list[str]
    bad_names: dict[str, str]
    other: Counter[str]


def walk_photos(folder: Path) -> Walk:
    """Find the photos below a folder by suffix; links are followed.

    Hidden files (names with a leading dot) and links to a parent folder are skipped.

    Raises:
        NotADirectoryError: the folder does not exist.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder")
    walk = Walk([], {}, Counter())
    for path in _files(folder, {os.path.realpath(folder)}):
        name = path.relative_to(folder).as_posix()
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            walk.other[suffix or "no suffix"] += 1
        elif (shown := os.fsencode(name).decode(errors="replace")) != name:
            walk.bad_names[shown] = "its name is not UTF-8"
        elif "\\" in name:
            walk.bad_names[name] = "its name has a backslash"
        else:
            walk.photos.append(name)
    walk.photos.sort()
    return walk


def _files(folder: Path, above: set[str]) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name in NO_PHOTOS:
                continue
            if not entry.is_dir():
                yield Path(entry.path)
            elif (real := os.path.realpath(entry.path)) not in above:
                yield from _files(Path(entry.path), above | {real})
