"""Compare searchers: build, fill and time each in the same way."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from car_retrieval.io.matrix import Matrix
from car_retrieval.io.memory import MemoryWatch
from car_retrieval.search.build import fill, make_index, row_blocks
from car_retrieval.search.exact import Block, search_exact
from car_retrieval.search.index import Vectors
from car_retrieval.search.products import inner_products
from car_retrieval.search.result import RetrievalResult
from car_retrieval.search.searcher import Searcher
from car_retrieval.search.threads import available_threads, threads

THREADS = (1, 2)
BATCH = 1_024
SINGLES = 50
REPEATS = 3
SECONDS = 0.3  # after which a timing ends with the search at work

Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""Queries float32 [q, D] and k to ids int64 [q, k] and scores float32 [q, k]."""
Row = dict[str, float]
"""Measurements by the name of their column; NaN where there is none."""


@dataclass(frozen=True)
class Task:
    """Inputs shared by every searcher of a comparison.

    Attributes:
        queries: float32 [a, D].
        query_ids: int64 [q], which rows of `queries` ask.
        gallery: float32 [n, D]; read block by block, and mapped to memory to re-rank.
        rows: int64 [m], which rows of `gallery` are searched, rising.
        k: neighbours wanted.
        batch_size: queries searched at a time where nothing is timed.
        own: queries and gallery are one matrix: a query must not find its own row.
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
        """The gallery, for scattered reads."""
        return self.gallery.mapped() if isinstance(self.gallery, Matrix) else self.gallery

    def batches(self) -> Iterator[np.ndarray]:
        """Ids of queries, so many at a time."""
        for start in range(0, len(self.query_ids), self.batch_size):
            yield self.query_ids[start : start + self.batch_size]

    def exact(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Exact search; see `Search`."""
        result = search_exact(np.arange(len(queries)), queries, self._blocks(), k)
        return result.hits, result.scores

    def _blocks(self) -> Iterator[Block]:
        """The searched rows; those that follow each other are not copied."""
        for ids in row_blocks(self.rows):
            run = slice(ids[0], ids[-1] + 1)
            whole = np.array_equal(ids, np.arange(run.start, run.stop))
            yield ids, self.mapped[run] if whole else self.mapped[ids]


def measure_exact(task: Task) -> tuple[Row, RetrievalResult]:
    """What exact search costs and finds: there is nothing to fit, and each vector is kept."""
    with MemoryWatch() as watch:
        before = _level(watch)
        hits = _answers(task.exact, task)
        row = _speeds(task.exact, task)
        peak = watch.reset() - before
    size = float(task.gallery.shape[1] * task.mapped.itemsize)
    return _row(float("nan"), float("nan"), row, size, peak), hits


def measure(
    kind: str, settings: Mapping[str, Any], rerank: int, task: Task, seed: int
) -> tuple[Row, RetrievalResult]:
    """Build a searcher, let it answer every query, and time it.

    Args:
        kind: `lopq` or `faiss`.
        settings: see `make_index`.
        rerank: candidates that are ranked again by their exact inner product; 0: none.
        task: what to search.
        seed: of the training sample and the fit.

    Returns:
        The measurements, and the first k hits of every query, scored by the searcher itself.

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
    return _row(fit_seconds, add_seconds, row, index.bytes_per_vector, peak), hits


def exact_scores(result: RetrievalResult, task: Task) -> np.ndarray:
    """Exact inner products float32 [q, k] of hits, whatever scores the searcher gave them."""
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
    """Queries a second, of a batch and of single queries, by number of threads."""
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
    """Queries a second, the best of a few repeats: others may share the machine."""
    if not sum(map(len, parts)):
        return float("nan")
    search(parts[0][:1], k)  # compiles, and wakes the threads
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
    """Bytes resident at this moment."""
    watch.reset()
    return watch.reset()


def _row(fit_seconds: float, add_seconds: float, speeds: Row, size: float, peak: int) -> Row:
    costs = {"fit s": fit_seconds, "add s": add_seconds, "bytes/vector": size}
    return speeds | costs | {"peak MB": peak / 1e6}
