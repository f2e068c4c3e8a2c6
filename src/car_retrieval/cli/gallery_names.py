"""Gallery photos by the names that users give: ids, paths and files."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from car_retrieval.gallery.living import GallerySnapshot
from car_retrieval.gallery.record import GalleryRecord, photo_id
from car_retrieval.images.inspect import digest_of


def named_photos(
    snapshot: GallerySnapshot, names: Sequence[str], root: Path
) -> list[GalleryRecord]:
    """Return the photos named, those that wait for a network included.

    Args:
        snapshot: state of the gallery.
        names: ids, paths or files.
        root: folder of the gallery photos.

    Raises:
        ValueError: a name is none of a gallery photo.
    """
    rows = {snapshot.ids[row]: row for row in np.flatnonzero(snapshot.present).tolist()}
    waiting = {record.id: record for record in snapshot.waiting}
    found: dict[str, GalleryRecord] = {}
    unknown = []
    for name in names:
        keys = [name, id_of(name), id_of(relative_path(Path(name), root) or name)]
        known = [key for key in keys if key in rows or key in waiting][:1]
        known = known or _copies(snapshot, Path(name))
        found |= {key: snapshot.record(rows[key]) if key in rows else waiting[key] for key in known}
        unknown += [] if known else [printable(name)]
    if unknown:
        raise ValueError(f"not in the gallery: {', '.join(unknown)}")
    return list(found.values())


def _copies(snapshot: GallerySnapshot, file: Path) -> list[str]:
    """Return the ids of the photos that have the content of a file."""
    if not file.is_file():
        return []
    digest = digest_of(file.read_bytes())
    same = snapshot.present & (snapshot.photos["Hash"] == digest).to_numpy(bool)
    waiting = [record.id for record in snapshot.waiting if record.hash == digest]
    return [snapshot.ids[row] for row in np.flatnonzero(same)] + waiting


def relative_path(file: Path, root: Path) -> str | None:
    """Return the path of a file relative to the gallery folder, links followed or not."""
    inside = root.resolve()
    places = [(file.parent.resolve() / file.name, inside), (file.resolve(), inside)]
    if ".." not in file.parts:
        places.insert(0, (file.absolute(), root.absolute()))
    for path, folder in places:
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return None


def id_of(path: str) -> str | None:
    """Return the id of a photo by its path; None if no list can hold the path."""
    try:
        return photo_id(path)
    except UnicodeEncodeError:
        return None


def printable(path: Path | str) -> str:
    """Return a path as text that a terminal can print."""
    return os.fsencode(path).decode(errors="replace")
