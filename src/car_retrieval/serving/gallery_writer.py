"""Add, correct and remove gallery photos."""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from car_retrieval.datasets.image_files import ADDED, ImageFiles
from car_retrieval.gallery.record import GalleryRecord, Labels, photo_id
from car_retrieval.gallery.store import BATCH
from car_retrieval.images.inspect import digest_of
from car_retrieval.io.atomic import replaced
from car_retrieval.search.threads import available_threads
from car_retrieval.serving.removal import remove_records
from car_retrieval.serving.retriever import Retriever

LONGEST = 80  # characters of the name of a copied file; a file system takes 255 bytes
Kind = Literal["added", "updated", "unchanged", "skipped"]


@dataclass(frozen=True)
class NewPhoto:
    """A photo to add.

    Attributes:
        data: contents of the file.
        name: file name.
        labels: what is known about it; unknown values of a photo that is there are kept.
        path: path relative to the folder of the gallery photos if it lies there; None: the file
            is copied.
    """

    data: bytes
    name: str
    labels: Labels = field(default_factory=Labels)
    path: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a photo.

    Attributes:
        kind: what was done.
        record: the photo; None if it was skipped.
        reason: why it was skipped.
    """

    kind: Kind
    record: GalleryRecord | None
    reason: str = ""


@dataclass(frozen=True)
class _Work:
    """A photo to describe, or to store with the descriptor that it has.

    Attributes:
        place: its place among the photos to add.
        record: the photo.
        kind: what is done.
        image: the packed photo; None keeps the descriptor.
        data: contents of its copy; None keeps the copy.
        own: whether the file in the gallery folder is used, so that a copy is deleted.
    """

    place: int
    record: GalleryRecord
    kind: Kind
    image: NDArray[np.uint8] | None = None
    data: bytes | None = None
    own: bool = False


class GalleryWriter:
    """Changes the gallery of a run; every search of any process sees a change at once.

    Args:
        retriever: the gallery, with the network that describes new photos.
        describe: function that describes packed photos; None: that of the retriever.

    Raises:
        ValueError: the gallery does not lie in a folder.
    """

    def __init__(
        self,
        retriever: Retriever,
        describe: Callable[[NDArray[np.uint8]], NDArray[np.float32]] | None = None,
    ) -> None:
        if not isinstance(retriever.files, ImageFiles) or retriever.files.added is None:
            raise ValueError(
                "web_images in conf/catalog.yml has no folder `added`, which photos are copied to"
            )
        self._retriever, self._gallery = retriever, retriever.gallery
        self._describe = describe or retriever.describe
        self._files = retriever.files
        self._pool = ThreadPoolExecutor(available_threads(), "photo")

    def add(self, photos: Sequence[NewPhoto | str], dry_run: bool = False) -> list[Outcome]:
        """Add photos in one transaction; those that are there are corrected or left alone.

        A photo is there if the gallery has a photo with the same content, or at the same path. A
        photo that is no picture is skipped.

        Args:
            photos: the photos; for a file that cannot be read the reason, with which it is skipped.
            dry_run: change nothing.

        Returns:
            What became of each photo, in order, once the change is on disk.
        """
        each = map if len(photos) == 1 else self._pool.map  # a thread's first detection is slow
        planned = list(each(self._plan, range(len(photos)), photos))
        outcomes = {place: made for place, made in enumerate(planned) if isinstance(made, Outcome)}
        latest: dict[str, _Work] = {}
        first: dict[str, str] = {}  # id of the first photo with a content
        for work, photo in zip(planned, photos, strict=True):
            if isinstance(work, Outcome) or isinstance(photo, str):
                continue
            same = first.setdefault(work.record.hash, work.record.id)
            target = same if work.kind == "added" else work.record.id
            kind, earlier = work.kind, latest.get(target)
            if earlier is not None and earlier.record.hash == work.record.hash:
                labels = _completed(photo.labels, earlier.record.labels)
                kind = "unchanged" if labels == earlier.record.labels else "updated"
                record, place = replace(earlier.record, labels=labels), work.place
                work = replace(earlier, place=place, record=record)
            outcomes[work.place] = Outcome(kind, work.record)
            latest[target] = work
        if not dry_run:
            self._store(list(latest.values()))
        return [outcomes[place] for place in range(len(photos))]

    def correct(self, photo: str, labels: Labels, data: bytes | None = None) -> GalleryRecord:
        """Replace the labels of a photo, except its box, and its file.

        A file with other content is described and gets a box of its own. It replaces the copy that
        `add` made; a file of yours in the gallery folder stays, and a copy is used instead.

        Args:
            photo: id of the photo, which stays the same.
            labels: the new labels.
            data: contents of the new file; None keeps the file.

        Raises:
            KeyError: no gallery photo has this id.
            ValueError: the file is no complete picture, or the gallery has it as another photo; or
                several classes have the name given.
        """
        old = self._retriever.record(photo)
        if labels.class_ is not None:
            self._gallery.check_class(labels.class_)
        if data is None or (digest := digest_of(data)) == old.hash:
            record = replace(old, labels=replace(labels, box=old.labels.box))
            self._store([_Work(0, record, "updated")])
            return record
        if (twin := self._gallery.find_file(digest)) is not None:
            raise ValueError(f"the gallery has this file as the photo {twin.id}")
        labels = replace(labels, box=self._retriever.propose(data))
        record = GalleryRecord(old.path, digest, labels)
        self._store([_Work(0, record, "updated", self._packed(data, labels), data)])
        return record

    def remove(self, photos: Sequence[str]) -> list[GalleryRecord]:
        """Remove photos in one transaction; deletes the files that `add` copied, and no others.

        Raises:
            KeyError: no gallery photo has one of these ids.
        """
        records = [self._retriever.record(photo) for photo in photos]
        remove_records(self._gallery.store, self._files, records)
        return records

    @property
    def waiting(self) -> int:
        """Number of photos that another network described."""
        return len(self._gallery.snapshot().waiting)

    def describe_waiting(self) -> int:
        """Describe the photos that another network described before; returns their number.

        A photo whose file is missing or damaged keeps waiting.
        """
        records, done = self._gallery.snapshot().waiting, 0
        for start in range(0, len(records), BATCH):
            works = []
            for record in records[start : start + BATCH]:
                with suppress(KeyError, OSError, ValueError):
                    data = self._files[record.path]  # the file may have changed since
                    image = self._packed(data, record.labels)
                    now = replace(record, hash=digest_of(data))
                    works.append(_Work(0, now, "updated", image))
            self._store(works)
            done += len(works)
        return done

    def _plan(self, place: int, photo: NewPhoto | str) -> _Work | Outcome:
        if isinstance(photo, str):
            return Outcome("skipped", None, photo)
        digest = digest_of(photo.data)
        if photo.labels.class_ is not None:
            try:
                self._gallery.check_class(photo.labels.class_)
            except ValueError as error:
                return Outcome("skipped", None, str(error))
        row = None if photo.path is None else self._gallery.row_of(photo_id(photo.path))
        if row is None:
            there = self._gallery.find_file(digest)
        else:
            there = self._gallery.snapshot().record(row)
        labels = photo.labels
        if there is not None:
            known = there.labels if there.hash == digest else replace(there.labels, box=None)
            labels = _completed(labels, known)
        if there is not None and there.hash == digest:
            if self._gallery.lists(replace(there, labels=labels)):
                return Outcome("unchanged", there)
            return _Work(place, replace(there, labels=labels), "updated")
        try:
            if labels.box is None:
                labels = replace(labels, box=self._retriever.propose(photo.data))
            image = self._packed(photo.data, labels)
        except ValueError as error:
            return Outcome("skipped", None, str(error))
        record = GalleryRecord(photo.path or self._new_path(digest, photo.name), digest, labels)
        kind: Kind = "added" if there is None else "updated"
        if photo.path is not None:
            return _Work(place, record, kind, image, own=not photo.path.startswith(ADDED))
        return _Work(place, record, kind, image, photo.data)

    def _new_path(self, digest: str, name: str) -> str:
        """Return a path for a copy; one with the same hash may have got another file since."""
        file = _file_name(name)
        paths = (f"{ADDED}{digest[:12]}{f'-{n}' if n else ''}/{file}" for n in count())
        return next(path for path in paths if self._gallery.row_of(photo_id(path)) is None)

    def _packed(self, data: bytes, labels: Labels) -> NDArray[np.uint8]:
        return self._retriever.prepare(data, labels.box)

    def _store(self, works: Sequence[_Work]) -> None:
        if not works:
            return
        images = [work.image for work in works if work.image is not None]
        described = iter(self._describe(np.stack(images)) if images else ())
        vectors = [
            self._retriever.descriptor(work.record.id) if work.image is None else next(described)
            for work in works
        ]
        records = [work.record for work in works]
        files = self._copied(works)
        self._gallery.store.put(records, np.stack(vectors), self._gallery.encoder, files)

    @contextmanager
    def _copied(self, works: Sequence[_Work]) -> Iterator[None]:
        """Write and delete copies before a block; an error in it brings the old ones back."""
        with ExitStack() as copies:
            for work in works:
                copy = self._files.copy(work.record.path)
                if copy is not None and (work.data is not None or work.own):
                    copies.enter_context(replaced(copy, work.data))
            yield


def _file_name(name: str) -> str:
    """Return the last part of a path as a name that any file system takes."""
    plain = re.sub(r"[^\w. -]", "_", re.split(r"[/\\]", name)[-1]).strip(". ")
    return plain[-LONGEST:] or "photo"


def _completed(given: Labels, known: Labels) -> Labels:
    """Fill the unknown values of given labels with known ones; a class has its own names."""
    names = Labels() if given.class_ else known
    return Labels(
        given.class_ or known.class_,
        given.make or names.make,
        given.model or names.model,
        given.year or known.year,
        given.box or known.box,
        {**known.fields, **given.fields},
    )
