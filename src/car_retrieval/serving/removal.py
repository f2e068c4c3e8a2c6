"""Remove photos from a gallery."""

from collections.abc import Sequence
from contextlib import suppress

from car_retrieval.datasets.image_files import ADDED, ImageFiles
from car_retrieval.gallery.record import GalleryRecord
from car_retrieval.gallery.store import GalleryStore


def remove_records(
    store: GalleryStore, files: ImageFiles, records: Sequence[GalleryRecord]
) -> None:
    """Remove photos in one transaction, then the copies that `kedro gallery add` made of them."""
    if records:
        store.remove(records)
    for record in records:
        copied = files.file(record.path)
        if record.path.startswith(ADDED) and copied.is_relative_to(files.added or files.root):
            copied.unlink(missing_ok=True)
            with suppress(OSError):  # not empty, or not there
                copied.parent.rmdir()
