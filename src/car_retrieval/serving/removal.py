"""Remove photos from a gallery."""

from collections.abc import Sequence
from contextlib import suppress

from car_retrieval.datasets.image_files import ImageFiles
from car_retrieval.gallery.record import GalleryRecord
from car_retrieval.gallery.store import GalleryStore


def remove_records(
    store: GalleryStore, files: ImageFiles, records: Sequence[GalleryRecord]
) -> None:
    """Remove photos in one transaction, then their copies; your own files stay."""
    if not records:
        return
    store.remove(records)
    with store.still_removed(records) as gone:
        for record in gone:
            if (copied := files.copy(record.path)) is not None:
                copied.unlink(missing_ok=True)
                with suppress(OSError):  # not empty, or not there
                    copied.parent.rmdir()
