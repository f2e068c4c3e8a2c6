"""GalleryStore: transactions, kills, several processes."""

import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest

from car_retrieval.gallery.record import GalleryRecord, Labels, photo_id
from car_retrieval.gallery.store import GalleryStore

DIMENSION = 8
RNG = np.random.default_rng(0)


def photos(count: int, first: int = 0) -> list[GalleryRecord]:
    labels = Labels("Audi/A4", "Audi", "A4", 2012, (1, 2, 30, 40), {"colour": "red", "doors": 5})
    return [GalleryRecord(f"new/{first + n}.jpg", f"{n:032x}", labels) for n in range(count)]


def vectors(count: int) -> np.ndarray:
    return RNG.standard_normal((count, DIMENSION)).astype(np.float32)


@pytest.fixture
def store(tmp_path: Path) -> GalleryStore:
    return GalleryStore(tmp_path / "folder" / "gallery.sqlite")


def test_an_empty_store_writes_nothing(store: GalleryStore) -> None:
    assert store.revision == 0
    assert store.changes() == []
    assert not store.path.parent.exists()


def test_photos_come_back_as_they_were_put(store: GalleryStore) -> None:
    records, described = photos(3), vectors(3)
    store.put(records, described, "e")
    changes = GalleryStore(store.path).changes()
    assert [change.record for change in changes] == records
    assert {(change.removed, change.encoder, change.revision) for change in changes} == {
        (False, "e", 1)
    }
    np.testing.assert_array_equal([change.vector for change in changes], described)


def test_the_latest_change_of_a_photo_counts(store: GalleryStore) -> None:
    first, second = photos(2)
    store.put([first, second], vectors(2), "e")
    changed = GalleryRecord(first.path, "f" * 32, Labels(class_="7"))
    store.put([changed], vectors(1), "e")
    store.remove([second])
    assert [(change.record, change.removed) for change in store.changes()] == [
        (changed, False),
        (second, True),
    ]
    assert [change.record for change in store.changes(after=2)] == [second]
    assert store.changes()[1].vector is None


def test_a_removed_photo_can_come_back(store: GalleryStore) -> None:
    store.remove(photos(1))
    store.put(photos(1), vectors(1), "e")
    [change] = store.changes()
    assert not change.removed
    assert change.revision == 2


def test_a_failed_change_has_no_effect(store: GalleryStore) -> None:
    store.put(photos(1), vectors(1), "e")
    with pytest.raises(ValueError, match="2 photos have 1"):
        store.put(photos(2), vectors(1), "e")

    class Unwritable(GalleryRecord):
        @property
        def id(self) -> str:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        store.put([*photos(1, first=5), Unwritable("x", "y")], vectors(2), "e")
    assert store.revision == 1
    assert len(store.changes()) == 1


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gallery.sqlite").write_bytes(b"no database, but long enough to be one" * 99)
    with pytest.raises(ValueError, match=r"gallery\.sqlite"):
        GalleryStore(tmp_path / "gallery.sqlite")
    newer = tmp_path / "newer.sqlite"
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(ValueError, match="version"):
        GalleryStore(newer)


def test_ids_depend_on_the_path_only() -> None:
    assert photo_id("a/b.jpg") == photo_id("a/b.jpg") != photo_id("a/c.jpg")
    assert GalleryRecord("a/b.jpg", "1").id == GalleryRecord("a/b.jpg", "2", Labels("x")).id


def _add_until_killed(path: Path, said: Path) -> None:
    store = GalleryStore(path)
    with said.open("a", buffering=1) as file:
        for number in range(10_000):
            first = store.revision * 3
            store.put(photos(3, first=first), np.full((3, DIMENSION), first, np.float32), "e")
            file.write(f"{first}\n")
            if number % 3 == 2:
                store.remove(photos(1, first=first))
                file.write(f"-{first}\n")


def test_what_was_acknowledged_survives_kills(store: GalleryStore) -> None:
    """At full size: GALLERY_KILLS=50 pytest tests/gallery/test_store.py -k kills."""
    said = store.path.with_name("said.txt")
    store.path.parent.mkdir()
    kills = int(os.environ.get("GALLERY_KILLS", "8"))
    delays = np.random.default_rng(kills).uniform(0.02, 0.3, kills)
    for delay in delays:
        process = multiprocessing.get_context("fork").Process(
            target=_add_until_killed, args=(store.path, said)
        )
        process.start()
        time.sleep(delay)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    said.touch()
    lines = said.read_text().split("\n")[:-1]
    put = {int(line) for line in lines if not line.startswith("-")}
    removed = {int(line[1:]) for line in lines if line.startswith("-")}
    changes = GalleryStore(store.path).changes()
    state = {change.record.path: change for change in changes}
    for first in put:
        for number in range(first, first + 3):
            change = state[f"new/{number}.jpg"]
            if not change.removed:
                np.testing.assert_array_equal(change.vector, np.full(DIMENSION, first))
        assert state[f"new/{first + 1}.jpg"].vector is not None
    assert all(state[f"new/{first}.jpg"].removed for first in removed)
    assert len(changes) % 3 == 0, "a batch is there completely or not at all"


def test_writers_wait_for_each_other(store: GalleryStore) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_put_many, args=(store.path, number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert store.revision == 30
    assert len(store.changes()) == 30


def _put_many(path: Path, number: int) -> None:
    for place in range(10):
        GalleryStore(path).put(photos(1, first=100 * number + place), vectors(1), "e")
