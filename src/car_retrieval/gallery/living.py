"""Gallery of a run with the changes made since."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from car_retrieval.gallery.field_values import FieldValues, field_values
from car_retrieval.gallery.photos import Classes, as_type, is_listed_as, photo_row, record_of
from car_retrieval.gallery.record import GalleryRecord, photo_id
from car_retrieval.gallery.store import Change, GalleryStore
from car_retrieval.search.exact import Block, search_exact
from car_retrieval.search.gallery import Gallery
from car_retrieval.search.products import merged
from car_retrieval.search.searcher import rerank


def encoder_digest(signature: Mapping[str, Any]) -> str:
    """Return a digest of an encoder's signature (BLAKE2b): 16 hex digits."""
    return blake2b(json.dumps(signature, sort_keys=True).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, eq=False)
class GallerySnapshot:
    """State of a gallery; later changes do not alter it.

    Rows 0 to n - 1 are the photos of the run, rows n to n + m - 1 photos added since.

    Attributes:
        listed: table of the photos of the run.
        added: rows of the photos added since, by column.
        records: records of the photos added since.
        ids: ids of all rows.
        present: bool [n + m], false for rows that were removed or replaced.
        run_vectors: float32 [n, D].
        added_vectors: float32 [m, D].
        revision: revision of the store.
        waiting: photos that were added but described by another encoder, so that no search finds
            them.
        kept: records of the photos of the run that the store has, too, by row: there a class has
            the name that it was added with, as the next run may number it otherwise.
    """

    listed: pd.DataFrame
    added: Sequence[dict[str, Any]]
    records: Sequence[GalleryRecord]
    ids: list[str]
    present: NDArray[np.bool_]
    run_vectors: NDArray[np.float32]
    added_vectors: NDArray[np.float32]
    revision: int
    waiting: tuple[GalleryRecord, ...]
    kept: Mapping[int, GalleryRecord] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.present.sum())

    @cached_property
    def photos(self) -> pd.DataFrame:
        """Table of all rows, those that are not present included."""
        if not self.added:
            return self.listed
        added = pd.DataFrame(self.added)
        for name, kind in self.listed.dtypes.items():
            if name in added:
                added[name] = as_type(added[name], kind)
        photos = pd.concat([self.listed, added], ignore_index=True)
        return photos.assign(Index=np.arange(len(photos), dtype=np.int64))

    @cached_property
    def fields(self) -> list[FieldValues]:
        """Fields of the photos, with frequent values."""
        return field_values(self.photos, self.present)

    def photo(self, row: int) -> pd.Series:
        """Return a row of `photos`."""
        count = len(self.listed)
        return self.listed.iloc[row] if row < count else pd.Series(self.added[row - count])

    def record(self, row: int) -> GalleryRecord:
        """Return the record of a row."""
        count = len(self.listed)
        if row >= count:
            return self.records[row - count]
        return self.kept.get(row) or record_of(self.listed.iloc[row])

    def vector(self, row: int) -> NDArray[np.float32]:
        """Return the descriptor of a row, float32 [D]."""
        count = len(self.run_vectors)
        part = self.run_vectors if row < count else self.added_vectors
        return np.array(part[row if row < count else row - count])

    def search(
        self, queries: NDArray[np.float32], rows: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rank rows, ascending, for each query exactly; see `search_exact`."""
        found = search_exact(np.arange(len(queries)), queries, self._blocks(rows), k)
        return found.hits, found.scores

    def rerank(
        self, queries: NDArray[np.float32], candidates: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Order candidate rows [q, c], -1 for none, by exact inner product; see `rerank`."""
        count = len(self.run_vectors)
        of_run = np.where(candidates < count, candidates, -1)
        found = rerank(queries, of_run, self.run_vectors, k)
        if not (candidates >= count).any():
            return found
        of_added = np.where(candidates >= count, candidates - count, -1)
        hits, scores = rerank(queries, of_added, self.added_vectors, k)
        return merged(found, (np.where(hits < 0, -1, hits + count), scores), k)

    def _blocks(self, rows: NDArray[np.int64]) -> Iterator[Block]:
        count = len(self.run_vectors)
        first_added = np.searchsorted(rows, count)
        yield from Gallery(self.run_vectors, rows[:first_added]).blocks()
        for places, vectors in Gallery(self.added_vectors, rows[first_added:] - count).blocks():
            yield np.where(places < 0, -1, places + count), vectors


class LivingGallery:
    """Photos of a run, and those that the store added, corrected or removed since.

    A row never changes its photo: a corrected photo gets a new row. Thread-safe.

    Args:
        photos: table of the photos of the run.
        vectors: their descriptors, float32 [n, D].
        store: the changes.
        encoder: digest of the encoder that computed the descriptors.

    Attributes:
        run: state without the changes.
    """

    def __init__(
        self,
        photos: pd.DataFrame,
        vectors: NDArray[np.float32],
        store: GalleryStore,
        encoder: str,
    ) -> None:
        self.store, self.encoder = store, encoder
        self._lock = Lock()
        ids = [photo_id(path) for path in photos["Path"]]
        self._rows = {photo: row for row, photo in enumerate(ids)}
        self._classes = Classes(photos)
        self._files: dict[str, list[int]] = {}
        for row, digest in enumerate(photos["Hash"]):
            self._files.setdefault(digest, []).append(row)
        self._waiting: dict[str, GalleryRecord] = {}
        self._room = np.empty((0, vectors.shape[1]), np.float32)
        self.run = self._snapshot = GallerySnapshot(
            *(photos, (), (), ids, np.ones(len(photos), bool), vectors, self._room), 0, ()
        )

    def snapshot(self) -> GallerySnapshot:
        """Return the current state, with the changes of other processes."""
        with self._lock:
            if self.store.revision != self._snapshot.revision:
                self._snapshot = self._changed(self.store.changes(self._snapshot.revision))
            return self._snapshot

    def row_of(self, photo: str) -> int | None:
        """Return the row of a photo by its id; None if it is not in the gallery."""
        snapshot = self.snapshot()  # first, so that the row is of the current state
        row = self._rows.get(photo)
        return row if row is not None and snapshot.present[row] else None

    def find_file(self, digest: str) -> GalleryRecord | None:
        """Return a photo of the gallery by the hash of its file; None if there is none."""
        snapshot = self.snapshot()
        rows = (row for row in self._files.get(digest, ()) if snapshot.present[row])
        row = next(rows, None)
        return None if row is None else snapshot.record(row)

    def check_class(self, name: str) -> None:
        """Raise ValueError if several classes have a name."""
        self._classes.check(name)

    def lists(self, record: GalleryRecord) -> bool:
        """Return whether the gallery has this file at this path with these labels."""
        row = self.row_of(record.id)
        return row is not None and is_listed_as(record, self.snapshot().photo(row), self._classes)

    def _changed(self, changes: list[Change]) -> GallerySnapshot:
        """Apply changes: mask replaced rows and append the new ones."""
        old = self._snapshot
        ids, present, new = list(old.ids), list[bool](), list[Change]()
        gone, kept = [], dict(old.kept)
        for change in changes:
            photo = change.record.id
            row = self._rows.get(photo)
            self._waiting.pop(photo, None)
            if change.removed or change.encoder == self.encoder:
                if row is not None:
                    gone.append(row)
            elif row is None or not is_listed_as(change.record, old.photo(row), self._classes):
                self._waiting[photo] = change.record
            elif row < len(old.listed):
                kept[row] = change.record
            if change.removed:
                self._rows.pop(photo, None)
            elif change.encoder == self.encoder:
                self._rows[photo] = len(ids)
                self._files.setdefault(change.record.hash, []).append(len(ids))
                ids.append(photo)
                present.append(True)
                new.append(change)
        mask = np.concatenate([old.present, np.array(present, bool)])
        mask[gone] = False
        return GallerySnapshot(
            old.listed,
            [*old.added, *(photo_row(change.record, self._classes) for change in new)],
            [*old.records, *(change.record for change in new)],
            ids,
            mask,
            old.run_vectors,
            self._with_vectors(len(old.added), new),
            max((change.revision for change in changes), default=old.revision),
            tuple(self._waiting.values()),
            kept,
        )

    def _with_vectors(self, count: int, new: list[Change]) -> NDArray[np.float32]:
        """Append descriptors; snapshots share the array, which grows by doubling."""
        if count + len(new) > len(self._room):
            grown = np.empty((max(64, 2 * (count + len(new))), self._room.shape[1]), np.float32)
            grown[:count] = self._room[:count]
            self._room = grown
        for place, change in enumerate(new, start=count):
            assert change.vector is not None
            self._room[place] = change.vector
        return self._room[: count + len(new)]
