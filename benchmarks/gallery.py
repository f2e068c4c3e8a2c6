"""Cost of adding and removing gallery photos, beyond decoding and describing them.

`python benchmarks/gallery.py`: 67,732 synthetic descriptors of 512 dimensions, 1,000 photos added
and removed, then searches of a gallery with 10 % added and 5 % removed, compared with those of a
new gallery of the same photos.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from vectors import GaussianClasses

from car_retrieval.gallery.approximate import GalleryIndex
from car_retrieval.gallery.living import LivingGallery
from car_retrieval.gallery.record import GalleryRecord, Labels
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.search.build import fill, make_index
from car_retrieval.search.lopq.index import LopqIndex
from car_retrieval.search.recall import recall_against_exact

BATCH, K = 64, 20
FITS, ROUNDS, TIMED = 3, 5, 200
LOPQ = {"splits": 2, "coarse": 32, "subquantisers": 64, "bits": 8, "quota": 8_000}


def listed(count: int) -> pd.DataFrame:
    rows = np.arange(count)
    columns = {"Path": [f"{row}.jpg" for row in rows], "Index": rows, "Class": rows % 2_000}
    return pd.DataFrame(columns | {"Hash": [f"{row:032x}" for row in rows]})


def records(first: int, count: int) -> list[GalleryRecord]:
    labels = Labels("17", fields={"colour": "red"})
    return [
        GalleryRecord(f"{row}.jpg", f"{row:032x}", labels) for row in range(first, first + count)
    ]


def batches(items: list[GalleryRecord]) -> Iterator[slice]:
    for start in range(0, len(items), BATCH):
        yield slice(start, start + BATCH)


def timed(name: str, work: Callable[[], object], each: int = 1) -> None:
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name}: {seconds:.3f} s, {1e3 * seconds / each:.3f} ms each; peak {memory:,.0f} MB",
        flush=True,
    )


def measure_store(vectors: np.ndarray, new: np.ndarray, folder: Path) -> None:
    """Add and remove photos of a gallery that is open."""
    store = GalleryStore(folder / "gallery.sqlite")
    gallery = LivingGallery(listed(len(vectors)), vectors, store, "e")
    added = records(len(vectors), len(new))
    gallery.snapshot()

    def add() -> None:
        for part in batches(added):
            store.put(added[part], new[part], "e")
            gallery.snapshot()

    def add_singly() -> None:
        for place in range(100):
            store.put(added[place : place + 1], new[place : place + 1], "e")
            gallery.snapshot()

    timed(f"add {len(new):,} in batches of {BATCH}", add, len(new))
    timed("add 100 one by one", add_singly, 100)
    timed(f"remove {len(new):,}", lambda: (store.remove(added), gallery.snapshot()), len(new))
    size = store.path.stat().st_size / len(new)
    print(f"size of the store: {size:,.0f} B a photo")


def measure_search(vectors: np.ndarray, new: np.ndarray, queries: np.ndarray, folder: Path) -> None:
    """Compare searches of a changed gallery with those of a new one of the same photos."""
    count = len(vectors)
    store = GalleryStore(folder / "changed.sqlite")
    changed = LivingGallery(listed(count), vectors, store, "e")
    added = records(count, len(new))
    for part in batches(added):
        store.put(added[part], new[part], "e")
    removed = np.sort(np.random.default_rng(1).choice(count, count // 20, replace=False))
    store.remove([GalleryRecord(f"{row}.jpg", "") for row in removed])
    kept = np.concatenate([np.delete(vectors, removed, axis=0), new])
    fresh = LivingGallery(listed(len(kept)), kept, GalleryStore(folder / "none.sqlite"), "e")
    seconds: dict[str, list[float]] = {}
    recall: dict[str, list[float]] = {}
    for seed in range(FITS):
        sides = {
            "changed": (changed, fitted(vectors, seed)),
            "new": (fresh, fitted(kept, seed)),
        }
        for name, (gallery, index) in sides.items():
            snapshot = gallery.snapshot()
            rows = np.flatnonzero(snapshot.present)
            _, exact = snapshot.search(queries, rows, K)
            _, found = index.search(snapshot, queries, rows, K)
            recall.setdefault(name, []).append(recall_against_exact(found, exact, K))
        for _ in range(ROUNDS):
            for name, (gallery, index) in sides.items():
                for kind, spent in search_seconds(gallery, index, queries[:TIMED]).items():
                    seconds.setdefault(f"{kind} {name}", []).append(spent)
    for kind in ("exact", "LOPQ"):
        ratios = np.divide(seconds[f"{kind} changed"], seconds[f"{kind} new"])
        print(
            f"{kind}: changed / new {np.median(ratios):.2f} "
            f"({ratios.min():.2f} to {ratios.max():.2f})"
        )
    for name, values in recall.items():
        print(f"recall@{K} of LOPQ, {name}: " + ", ".join(f"{value:.3f}" for value in values))


def fitted(vectors: np.ndarray, seed: int) -> GalleryIndex:
    index = make_index("lopq", LOPQ)
    assert isinstance(index, LopqIndex)
    fill(index, vectors, np.arange(len(vectors)), seed)
    return GalleryIndex(index)


def search_seconds(
    gallery: LivingGallery, index: GalleryIndex, queries: np.ndarray
) -> dict[str, float]:
    """CPU seconds of one search after the other, exact and by LOPQ."""
    snapshot = gallery.snapshot()
    rows = np.flatnonzero(snapshot.present)
    start = time.process_time()
    for query in queries:
        snapshot.search(query[None], rows, K)
    middle = time.process_time()
    for query in queries:
        index.search(snapshot, query[None], rows, K)
    return {"exact": middle - start, "LOPQ": time.process_time() - middle}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=67_732)
    parser.add_argument("--dimension", type=int, default=512)
    options = parser.parse_args()
    classes = GaussianClasses(options.dimension)
    vectors, _ = classes.draw(options.photos)
    new, _ = classes.draw(options.photos // 10)
    queries, _ = classes.draw(1_000)
    with tempfile.TemporaryDirectory() as folder:
        measure_store(vectors, new[:1_000], Path(folder))
        measure_search(vectors, new, queries, Path(folder))


if __name__ == "__main__":
    main()
