"""Comparison of searchers: construction and timing."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from car_retrieval.io.matrix import Matrix
from car_retrieval.io.memory import MemoryWatch
from car_retrieval.search.build import fill, id_blocks, make_index
from car_retrieval.search.exact import Block, search_exact
from car_retrieval.search.index import Index, Vectors
from car_retrieval.search.products import inner_products
from car_retrieval.search.result import RetrievalResult
from car_retrieval.search.searcher import Searcher
from car_retrieval.search.threads import available_threads, threads

THREADS = (1, 2)
BATCH = 1_024
SINGLES = 50
REPEATS = 3
SECONDS = 0.3  # after which a timing stops at the end of the current search

Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""Function of queries float32 [q, D] and k that returns ids int64 and scores float32 [q, k]."""
Row = dict[str, float]
"""Measurements by column name; NaN if missing."""


@dataclass(frozen=True)
class Task:
    """Inputs shared by all searchers of a comparison.

    Attributes:
        queries: float32 [a, D].
        query_ids: int64 [q], rows of `queries` to use.
        gallery: float32 [n, D]; read block by block, and mapped to memory to re-rank.
        rows: int64 [m], rows of `gallery` to search, ascending.
        k: number of neighbours.
        batch_size: queries per batch of untimed searches.
        own: queries and gallery are one matrix, so a query must not find its own row.
    """

    queries: Vectors
    query_ids: np.ndarray
    gallery: Vectors
    rows: np.ndarray
    k: int
    batch_size: int = BATCH
    own: bool = False

    @cached_property
    def mapped(self) -> np.ndarray:
        """Gallery for random access."""
        return self.gallery.mapped() if isinstance(self.gallery, Matrix) else self.gallery

    def batches(self) -> Iterator[np.ndarray]:
        """Yield query ids in batches."""
        for start in range(0, len(self.query_ids), self.batch_size):
            yield self.query_ids[start : start + self.batch_size]

    def exact(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Search exactly; see `Search`."""
        result = search_exact(np.arange(len(queries)), queries, self._blocks(), k)
        return result.hits, result.scores

    def _blocks(self) -> Iterator[Block]:
        """Yield the searched rows; consecutive rows are not copied."""
        for ids in id_blocks(self.rows):
            run = slice(ids[0], ids[-1] + 1)
            whole = np.array_equal(ids, np.arange(run.start, run.stop))
            yield ids, self.mapped[run] if whole else self.mapped[ids]


def measure_exact(task: Task) -> tuple[Row, RetrievalResult]:
    """Measure exact search, which has no fit and keeps every vector."""
    with MemoryWatch() as watch:
        before = _level(watch)
        hits = _answers(task.exact, task)
        row = _speeds(task.exact, task)
        peak = watch.reset() - before
    size = float(task.gallery.shape[1] * task.mapped.itemsize)
    return _row(float("nan"), float("nan"), row, size, peak), hits


def measure(
    kind: str, settings: Mapping[str, Any], rerank: int, task: Task, seed: int
) -> tuple[Index, Row, RetrievalResult]:
    """Build a searcher, search all queries and time it.

    Args:
        kind: `lopq` or `faiss`.
        settings: see `make_index`.
        rerank: candidates re-ranked by exact inner product; 0: none.
        task: inputs of the comparison.
        seed: seed of the training sample and the fit.

    Returns:
        The index, measurements, and the first k hits of every query with the searcher's scores.

    Raises:
        ValueError: the index cannot be fitted to these vectors.
    """
    with MemoryWatch() as watch:
        before = _level(watch)
        index = make_index(kind, settings)
        fit_seconds, add_seconds = fill(index, task.gallery, task.rows, seed)
        search = Searcher(index, task.mapped, rerank).search
        hits = _answers(search, task)
        row = _speeds(search, task)
        peak = watch.reset() - before
    return index, _row(fit_seconds, add_seconds, row, index.bytes_per_vector, peak), hits


def exact_scores(result: RetrievalResult, task: Task) -> np.ndarray:
    """Compute the exact inner products float32 [q, k] of the hits."""
    parts = [np.empty((0, result.depth), np.float32)]
    for start, ids in zip(range(0, len(result.hits), task.batch_size), task.batches(), strict=True):
        hits = result.hits[start : start + task.batch_size]
        parts.append(inner_products(task.queries[ids], task.mapped, hits))
    return np.concatenate(parts)


def _answers(search: Search, task: Task) -> RetrievalResult:
    depth = task.k + task.own
    found = [search(task.queries[ids], depth) for ids in task.batches()]
    hits = np.concatenate([np.empty((0, depth), np.int64), *(hits for hits, _ in found)])
    scores = np.concatenate([np.empty((0, depth), np.float32), *(scores for _, scores in found)])
    result = RetrievalResult(np.asarray(task.query_ids, np.int64), hits, scores)
    return result.without_own() if task.own else result


def _speeds(search: Search, task: Task) -> Row:
    """Measure queries per second, in batches and singly, by number of threads."""
    batch = np.ascontiguousarray(task.queries[task.query_ids[:BATCH]], np.float32)
    singles = [batch[i : i + 1] for i in range(min(SINGLES, len(batch)))]
    speeds: Row = {}
    for name, parts in (("batch", [batch]), ("single", singles)):
        for count in THREADS:
            with threads(count):
                speed = _speed(search, parts, task.k) if count <= available_threads() else None
            plural = "s" if count > 1 else ""
            speeds[f"{name} q/s {count} thread{plural}"] = float("nan") if speed is None else speed
    return speeds


def _speed(search: Search, parts: list[np.ndarray], k: int) -> float:
    """Measure queries per second: the best of a few repeats, since the machine may be shared."""
    if not sum(map(len, parts)):
        return float("nan")
    search(parts[0][:1], k)  # warm-up: compiles and starts threads
    best, end = 0.0, time.perf_counter() + SECONDS
    for _ in range(REPEATS):
        start, answered = time.perf_counter(), 0
        for part in parts:
            search(part, k)
            answered += len(part)
            now = time.perf_counter()
            if now > end:
                break
        best = max(best, answered / (now - start))
        if now > end:
            break
    return best


def _level(watch: MemoryWatch) -> int:
    """Return the current resident memory in bytes."""
    watch.reset()
    return watch.reset()


def _row(fit_seconds: float, add_seconds: float, speeds: Row, size: float, peak: int) -> Row:
    costs = {"fit s": fit_seconds, "add s": add_seconds, "bytes/vector": size}
    return speeds | costs | {"peak MB": peak / 1e6}
