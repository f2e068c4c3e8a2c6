"""Transactional store of the changes to a gallery."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from car_retrieval.gallery.record import GalleryRecord, Labels

SCHEMA = """
CREATE TABLE photos (
    id TEXT PRIMARY KEY, path TEXT NOT NULL, hash TEXT NOT NULL, labels TEXT NOT NULL,
    removed INTEGER NOT NULL, encoder TEXT NOT NULL, revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX photos_by_revision ON photos (revision);
CREATE INDEX photos_by_hash ON photos (hash);
CREATE TABLE vectors (id TEXT PRIMARY KEY, vector BLOB NOT NULL);
PRAGMA user_version = 1;
"""
FORMAT = 1
BATCH = 64  # photos that are added in one transaction
BUSY = 60.0  # seconds to wait for another process that writes
COLUMNS = "id, path, hash, labels, removed, encoder, revision"
CHANGES = """
SELECT path, hash, labels, removed, encoder, revision, vector
FROM photos LEFT JOIN vectors USING (id) WHERE revision > ? ORDER BY revision, path
"""


@dataclass(frozen=True)
class Change:
    """Latest state of a photo that was added, corrected or removed.

    Attributes:
        record: the photo and its labels.
        removed: whether the photo is no longer in the gallery.
        encoder: digest of the encoder that described it.
        revision: revision of the store that made the change.
        vector: its descriptor, float32 [D]; None if it was removed.
    """

    record: GalleryRecord
    removed: bool
    encoder: str
    revision: int
    vector: NDArray[np.float32] | None


class GalleryStore:
    """Photos added, corrected and removed since a run, with the descriptors of added ones.

    An SQLite database: each call of `put` or `remove` is one transaction, which is either on disk
    completely when the call returns or has no effect. Several threads and processes can use it at
    the same time. Nothing is written until the first change.

    Args:
        path: the database file.

    Raises:
        ValueError: the file is not a store, or of another version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.exists():
            with self._connection() as db:
                _check_format(db, self.path)

    @property
    def revision(self) -> int:
        """Number of the last change; 0: there is none."""
        if not self.path.exists():
            return 0
        with self._connection() as db:
            return _revision(db)

    def put(
        self,
        records: Sequence[GalleryRecord],
        vectors: NDArray[np.float32],
        encoder: str,
        files: AbstractContextManager[object] = nullcontext(),  # noqa: B008  # has no state
    ) -> None:
        """Add photos, or replace those with the same path.

        Args:
            records: the photos, with different paths.
            vectors: float32 [n, D], their descriptors.
            encoder: digest of the encoder, see `encoder_digest`.
            files: entered while no other process can write, and left after the transaction, with
                the error if it failed: it writes the files, and takes them back on an error.

        Raises:
            ValueError: the numbers of records and vectors differ.
        """
        if len(records) != len(vectors):
            raise ValueError(f"{len(records)} photos have {len(vectors)} descriptors")
        rows = np.ascontiguousarray(vectors, np.float32)
        with ExitStack() as written, self._transaction() as (db, revision):
            written.enter_context(files)
            _save(db, ((record, False, encoder, revision) for record in records))
            db.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
                ((record.id, row.tobytes()) for record, row in zip(records, rows, strict=True)),
            )

    def remove(self, records: Sequence[GalleryRecord]) -> None:
        """Remove photos, whether a run listed them or `put` added them."""
        with self._transaction() as (db, revision):
            _save(db, ((record, True, "", revision) for record in records))
            db.executemany("DELETE FROM vectors WHERE id = ?", ((record.id,) for record in records))

    @contextmanager
    def still_removed(self, records: Sequence[GalleryRecord]) -> Iterator[list[GalleryRecord]]:
        """Yield those of removed photos that were not added again, while no process can write."""
        with self._transaction() as (db, _):
            removed = "SELECT removed FROM photos WHERE id = ?"
            yield [record for record in records if db.execute(removed, (record.id,)).fetchone()[0]]

    def changes(self, after: int = 0) -> list[Change]:
        """List the photos changed after a revision, each once, in the order of their changes."""
        if not self.path.exists():
            return []
        with self._connection() as db:
            if _format(db) == 0:
                return []
            return [_change(row) for row in db.execute(CHANGES, (after,))]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = FULL")
                yield db
        except sqlite3.OperationalError as error:
            raise OSError(f"{self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self.path} is no gallery store: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """Yield a connection that holds the write lock, and the number of the new revision."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                if _format(db) == 0:
                    for statement in filter(str.strip, SCHEMA.split(";")):
                        db.execute(statement)
                _check_format(db, self.path)
                yield db, _revision(db) + 1
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise


def _save(db: sqlite3.Connection, rows: Iterable[tuple[GalleryRecord, bool, str, int]]) -> None:
    db.executemany(
        f"INSERT OR REPLACE INTO photos ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (photo.id, photo.path, photo.hash, photo.labels.to_json(), removed, encoder, revision)
            for photo, removed, encoder, revision in rows
        ),
    )


def _change(row: tuple[str, str, str, int, str, int, bytes | None]) -> Change:
    path, digest, labels, removed, encoder, revision, vector = row
    record = GalleryRecord(path, digest, Labels.from_json(labels))
    described = None if vector is None else np.frombuffer(vector, np.float32)
    return Change(record, bool(removed), encoder, revision, described)


def _revision(db: sqlite3.Connection) -> int:
    if _format(db) == 0:
        return 0
    return db.execute("SELECT coalesce(max(revision), 0) FROM photos").fetchone()[0]


def _format(db: sqlite3.Connection) -> int:
    return db.execute("PRAGMA user_version").fetchone()[0]


def _check_format(db: sqlite3.Connection, path: Path) -> None:
    if _format(db) not in (0, FORMAT):
        raise ValueError(f"{path} was written by another version of car_retrieval")
