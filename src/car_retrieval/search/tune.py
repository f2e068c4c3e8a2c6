"""Search for the fastest LOPQ setting that reaches a recall."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from tqdm import tqdm

from car_retrieval.io.matrix import Matrix
from car_retrieval.search.exact import search_exact
from car_retrieval.search.index import ADD_BLOCK, Vectors
from car_retrieval.search.lopq.fit import LopqParams
from car_retrieval.search.lopq.index import LopqIndex
from car_retrieval.search.products import inner_products
from car_retrieval.search.recall import recall_against_exact
from car_retrieval.search.searcher import rerank

LISTS = ((2, 8), (2, 16), (2, 32), (1, 16), (1, 64), (1, 256), (1, 1_024))  # splits, coarse
OWN_WORDS = 256  # minimum points per coarse centroid for local codebooks
LEAST_POINTS = 32  # minimum points per coarse centroid
KEPT = (1.0, 0.5, 0.25)  # shares of the dimensions kept by PCA
LARGEST_KEPT = 512  # maximum dimensions, since each coarse centroid has a rotation of them
DEPTHS = (0, 2, 5, 10, 25)  # re-ranked candidates in units of k; 0: none
QUERIES = 1_024
TRAINING = 32_768
SMALLEST_GALLERY = 256


@dataclass(frozen=True)
class Setting:
    """Search configuration and its measurements.

    Attributes:
        params: LOPQ parameters; None: exact search.
        rerank: candidates re-ranked by exact inner product.
        recall: share of the true nearest neighbours found.
        queries_per_second: speed of batched queries, with the current number of threads.
        bytes_per_vector: memory, quantiser included; the vectors for re-ranking stay on disk.
        fit_seconds: time to fit the quantiser.
    """

    params: LopqParams | None
    rerank: int
    recall: float
    queries_per_second: float
    bytes_per_vector: float
    fit_seconds: float


def tune(
    gallery: Vectors, queries: Vectors, k: int, recall: float, code_bytes: int, seed: int
) -> list[Setting]:
    """Measure LOPQ settings on a gallery.

    Lists, code and kept dimensions are optimised one after another (coordinate descent). Each
    quantiser is fitted once. One deep search per quota gives the recall of every re-ranking depth;
    the smallest that reaches the target is timed. The quota is halved until no depth reaches it.

    Args:
        gallery: float32 [n, D].
        queries: float32 [q, D]; a sample of 1,024 is used.
        k: number of neighbours.
        recall: target recall, in (0, 1].
        code_bytes: maximum bytes per code.
        seed: random seed of samples and fits.

    Returns:
        Exact search, then every timed setting.

    Raises:
        ValueError: the gallery is too small to compress, there are no queries, or shapes, `k`,
            `recall` or `code_bytes` are invalid.
    """
    _check(gallery, queries, k, recall, code_bytes)
    bench = _Bench(gallery, queries, k, recall, seed)
    options: dict[str, tuple] = {
        "lists": LISTS,
        "code": ((8, code_bytes), (4, code_bytes), (8, code_bytes // 2)),
        "kept": KEPT,
    }
    chosen = {name: values[0] for name, values in options.items()}
    measured: dict[LopqParams, list[Setting]] = {}
    with tqdm(total=sum(map(len, options.values())), desc="tuning", disable=None) as bar:
        for name, values in options.items():
            found = {}
            for value in values:
                params = _params(**(chosen | {name: value}), shape=gallery.shape)
                if params not in measured:
                    measured[params] = bench.measure(params)
                found[value] = fastest(measured[params], recall)
                bar.update()
            best = fastest(found.values(), recall)
            chosen[name] = next(value for value in values if found[value] is best)
    return [bench.exact, *(setting for settings in measured.values() for setting in settings)]


def fastest(settings: Iterable[Setting], recall: float) -> Setting:
    """Return the fastest setting that reaches the recall, or else the one with the highest."""

    def merit(setting: Setting) -> tuple[bool, float, float]:
        if setting.recall >= recall:
            return True, setting.queries_per_second, setting.recall
        return False, setting.recall, setting.queries_per_second

    return max(settings, key=merit)


def pareto_front(settings: Iterable[Setting]) -> list[Setting]:
    """Return the settings on the Pareto front of recall and speed, by ascending recall."""
    front: list[Setting] = []
    for setting in sorted(settings, key=lambda one: (-one.queries_per_second, -one.recall)):
        if not front or setting.recall > front[-1].recall:
            front.append(setting)
    return front


class _Bench:
    """Test bench of settings: vectors and exact results."""

    def __init__(self, gallery: Vectors, queries: Vectors, k: int, recall: float, seed: int):
        rng = np.random.default_rng(seed)
        self.gallery, self.k, self.recall, self.seed = gallery, k, recall, seed
        self.queries = _sample(queries, QUERIES, rng)
        self.training = _sample(gallery, TRAINING, rng)
        self.mapped = gallery.mapped() if isinstance(gallery, Matrix) else gallery
        self.depths = sorted({min(depth * k, len(gallery)) for depth in DEPTHS})

        def search() -> np.ndarray:
            starts = range(0, len(gallery), ADD_BLOCK)
            ids = np.arange(len(gallery))
            blocks = ((ids[i : i + ADD_BLOCK], gallery[i : i + ADD_BLOCK]) for i in starts)
            return search_exact(np.arange(len(self.queries)), self.queries, blocks, k).scores

        self.exact_scores = search()
        self.exact = Setting(None, 0, 1.0, self._speed(search), 4.0 * gallery.shape[1], 0.0)

    def measure(self, params: LopqParams) -> list[Setting]:
        """Fit a quantiser and halve the quota until no re-ranking depth reaches the recall."""
        index = LopqIndex(params)
        start = time.perf_counter()
        index.fit(self.training, self.seed)
        fit_seconds = time.perf_counter() - start
        index.add(self.gallery)
        settings: list[Setting] = []
        quota = len(self.gallery)
        while quota >= self.k:
            depth, recall = self._shallowest(index, quota)
            if settings and recall < self.recall:
                break
            speed = self._speed(partial(self._search, index, quota, depth))
            own = replace(params, quota=quota if settings else None)
            settings.append(Setting(own, depth, recall, speed, index.bytes_per_vector, fit_seconds))
            if recall < self.recall:
                break
            quota //= 2
        return settings

    def _shallowest(self, index: LopqIndex, quota: int) -> tuple[int, float]:
        """Return the smallest re-ranking depth that reaches the target, or the largest; recall."""
        depths = [
            depth for depth in self.depths if depth <= quota
        ]  # a deeper one scans more points
        ids, _ = index.search(self.queries, max(self.k, depths[-1]), quota)
        scores = inner_products(self.queries, self.mapped, ids)
        recall = 0.0
        for depth in depths:
            first = scores[:, : max(depth, self.k)]
            recall = recall_against_exact(first, self.exact_scores, self.k)
            if recall >= self.recall:
                return depth, recall
        return depths[-1], recall

    def _search(self, index: LopqIndex, quota: int, depth: int) -> None:
        ids, _ = index.search(self.queries, max(self.k, depth), quota)
        if depth:
            rerank(self.queries, ids, self.gallery, self.k)

    def _speed(self, search: Callable[[], object]) -> float:
        """Measure queries per second: the faster of two runs, since the machine may be shared."""
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            search()
            seconds.append(time.perf_counter() - start)
        return len(self.queries) / min(seconds)


def _params(
    lists: tuple[int, int], code: tuple[int, int], kept: float, shape: tuple[int, ...]
) -> LopqParams:
    """Return the closest parameters that the gallery's shape allows."""
    (splits, coarse), (bits, code_bytes), (count, dimension) = lists, code, shape
    subquantisers = min(code_bytes * 8 // bits, dimension, count)
    subquantisers -= subquantisers % (4 if bits == 4 else 2)
    components = max(subquantisers, min(int(dimension * kept), LARGEST_KEPT, count))
    components -= components % subquantisers
    points = min(count, TRAINING)
    coarse = min(coarse, points // LEAST_POINTS)
    return LopqParams(
        splits=splits,
        coarse=coarse,
        subquantisers=subquantisers,
        bits=bits,
        codebooks="local" if coarse * OWN_WORDS <= points else "shared",
        pca=None if components == dimension else components,
    )


def _sample(vectors: Vectors, size: int, rng: np.random.Generator) -> np.ndarray:
    rows = np.sort(rng.choice(len(vectors), min(len(vectors), size), replace=False))
    return np.ascontiguousarray(vectors[rows], np.float32)


def _check(gallery: Vectors, queries: Vectors, k: int, recall: float, code_bytes: int) -> None:
    if len(gallery) < SMALLEST_GALLERY:
        raise ValueError(
            f"a gallery of {len(gallery)} vectors is too small to compress (minimum "
            f"{SMALLEST_GALLERY}): search it exactly"
        )
    if not len(queries):
        raise ValueError("no queries to tune with")
    if queries.shape[1:] != gallery.shape[1:] or gallery.shape[1] < 4:
        raise ValueError(
            f"queries {queries.shape} and gallery {gallery.shape} must have the same dimension, at "
            "least 4"
        )
    if not 1 <= k <= len(gallery):
        raise ValueError(f"k = {k} must be between 1 and the gallery size {len(gallery)}")
    if not 0 < recall <= 1:
        raise ValueError(f"recall = {recall} must be above 0 and at most 1")
    if code_bytes < 4:
        raise ValueError(f"bytes = {code_bytes} must be at least 4")
