"""SQLite and LanceDB as stores of gallery photos.

`python benchmarks/gallery_stores.py sqlite` or `lance`.

67,732 vectors of 512 dimensions; `lance` needs `pip install lancedb`.
"""

import importlib
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

COUNT, DIMENSION = 67_732, 512
NAMES = ("id", "path", "hash", "class", "fields")


def ids(first: int, count: int) -> list[str]:
    return [f"{number:016x}" for number in range(first, first + count)]


class Sqlite:
    """Photos and vectors in one file, a transaction a call."""

    def __init__(self, folder: Path) -> None:
        self.db = sqlite3.connect(folder / "gallery.sqlite")
        self.db.execute("PRAGMA journal_mode = wal")
        self.db.execute("PRAGMA synchronous = full")
        columns = ", ".join(f"{name} TEXT" for name in NAMES[1:])
        self.db.execute(f"CREATE TABLE photos (id TEXT PRIMARY KEY, {columns}) WITHOUT ROWID")
        self.db.execute("CREATE TABLE vectors (id TEXT PRIMARY KEY, vector BLOB)")

    def put(self, vectors: np.ndarray, first: int) -> None:
        names = ids(first, len(vectors))
        with self.db:
            rows = ((name, name, "h" * 32, "c", "{}") for name in names)
            self.db.executemany("INSERT OR REPLACE INTO photos VALUES (?, ?, ?, ?, ?)", rows)
            pairs = ((name, row.tobytes()) for name, row in zip(names, vectors, strict=True))
            self.db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", pairs)

    def remove(self, count: int) -> None:
        with self.db:
            for table in ("photos", "vectors"):
                rows = ((name,) for name in ids(0, count))
                self.db.executemany(f"DELETE FROM {table} WHERE id = ?", rows)

    def read(self) -> int:
        rows = self.db.execute("SELECT vector FROM vectors")
        return sum(len(np.frombuffer(row[0], np.float32)) > 0 for row in rows)


class Lance:
    """A table of LanceDB, a version a call."""

    def __init__(self, folder: Path) -> None:
        lancedb, self.pa = map(importlib.import_module, ("lancedb", "pyarrow"))
        pa = self.pa
        columns = [*((name, pa.string()) for name in NAMES)]
        schema = pa.schema([*columns, ("vector", pa.list_(pa.float32(), DIMENSION))])
        self.table = lancedb.connect(folder).create_table("gallery", schema=schema)

    def put(self, vectors: np.ndarray, first: int) -> None:
        rows = {name: ids(first, len(vectors)) for name in NAMES}
        flat = self.pa.array(vectors.ravel())
        rows["vector"] = self.pa.FixedSizeListArray.from_arrays(flat, DIMENSION)
        merge = self.table.merge_insert("id").when_matched_update_all()
        merge.when_not_matched_insert_all().execute(self.pa.table(rows, schema=self.table.schema))

    def remove(self, count: int) -> None:
        self.table.delete(f"id < '{count:016x}'")

    def read(self) -> int:
        found = self.table.search().select(["id", "vector"]).limit(2 * COUNT)
        return sum(batch.num_rows for batch in found.to_batches())


def timed(name: str, work: Callable[[], object]) -> None:
    start = time.perf_counter()
    work()
    print(f"{name}: {time.perf_counter() - start:.3f} s", flush=True)


def main() -> None:
    kind = {"sqlite": Sqlite, "lance": Lance}[sys.argv[1]]
    vectors = np.random.default_rng(0).standard_normal((COUNT, DIMENSION), dtype=np.float32)
    new = vectors[:1_000]
    with tempfile.TemporaryDirectory() as folder:
        store = kind(Path(folder))
        timed("fill", lambda: store.put(vectors, 0))
        timed("add 1,000", lambda: store.put(new, COUNT))
        singly = [new[place : place + 1] for place in range(100)]
        timed(
            "100 x add 1", lambda: [store.put(row, 2 * COUNT + n) for n, row in enumerate(singly)]
        )
        timed("replace 1,000", lambda: store.put(new, COUNT))
        timed("remove 1,000", lambda: store.remove(1_000))
        timed("read all", store.read)


if __name__ == "__main__":
    main()
