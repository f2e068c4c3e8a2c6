"""Search of a folder for photos, without hidden files and files of other kinds."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".avif", ".jp2", ".j2k", ".ppm", ".pgm", ".pnm"),
    *(".heic", ".heif", ".hif", ".mpo"),
}
ADVICE = {
    "videos are not read: save a frame as JPEG": {
        *(".mov", ".mp4", ".m4v", ".avi", ".mkv", ".webm", ".3gp", ".mts"),
    },
    "raw photos are not read: export them as JPEG": {
        *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"),
    },
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

    def other_kinds(self, shown: int = 5) -> str:
        """Describe the other files by kind: `3 .mov (videos are not read: …), 2 .txt`.

        Args:
            shown: largest number of kinds; the most frequent come first.
        """
        parts = [
            f"{count:,} {suffix}" + "".join(f" ({why})" for why in ADVICE if suffix in ADVICE[why])
            for suffix, count in self.other.most_common(shown)
        ]
        if len(self.other) > shown:
            parts.append("…")
        return ", ".join(parts)


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
