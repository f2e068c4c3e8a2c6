"""Searchers side by side: how well each finds what exact search finds, and how fast.

    python benchmarks/search.py                             67,732 made vectors, 2,048 dimensions
    python benchmarks/search.py --vectors features.fvecs    your own, 200 held out as queries

One line a setting: queries per second of a batch (best of three), as a multiple of exact search in
the same run, and recall@20. Under `re-rank` stands how many candidates were ordered anew by their
exact inner product. One thread unless `--threads` says otherwise.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial

import faiss
import numpy as np
from threadpoolctl import threadpool_limits
from vectors import GaussianClasses, read_fvecs

from car_retrieval.search.exact import search_exact
from car_retrieval.search.faiss_index import FaissIndex
from car_retrieval.search.index import Index
from car_retrieval.search.lopq.fit import LopqParams
from car_retrieval.search.lopq.index import LopqIndex
from car_retrieval.search.searcher import rerank

K = 20
Setting = tuple[dict, int]  # search parameters; candidates to re-rank

MADE: list[tuple[str, Callable[[], Index], list[Setting]]] = [
    (
        "LOPQ 2x8, PCA 256, 32 x 8 bit",
        lambda: LopqIndex(LopqParams(pca=256)),
        [({"quota": quota}, 0) for quota in (20, 1_000, 10_000, 20_000)]
        + [({}, 0), ({"quota": 40_000}, 100), ({}, 60), ({}, 300)],
    ),
    (
        "LOPQ 2x64, PCA 256, 32 x 8 bit",
        lambda: LopqIndex(LopqParams(pca=256, coarse=64)),
        [({"quota": quota}, 100) for quota in (5_000, 20_000, 40_000)],
    ),
    (
        "LOPQ 1x16, PCA 256, 32 x 8 bit",
        lambda: LopqIndex(LopqParams(pca=256, splits=1, coarse=16)),
        [({"quota": 40_000}, 100), ({}, 60), ({}, 300)],
    ),
    (
        "LOPQ 1x1024, PCA 128, 32 x 8 bit, shared codebooks",
        lambda: LopqIndex(LopqParams(pca=128, splits=1, coarse=1_024, codebooks="shared")),
        [
            ({"quota": quota}, candidates)
            for quota, candidates in ((5_000, 70), (5_000, 75), (5_200, 72), (8_000, 100))
        ],
    ),
    (
        "LOPQ 2x8, raw 2048, 32 x 8 bit",
        lambda: LopqIndex(LopqParams()),
        [({"quota": 10_000}, 0), ({}, 100)],
    ),
    (
        "OPQ64_256,IVF256,PQ64x4fs",
        lambda: FaissIndex("OPQ64_256,IVF256,PQ64x4fs"),
        [({"nprobe": n}, 0) for n in (4, 16, 64)]
        + [({"nprobe": n}, 60) for n in (16, 32, 64)]
        + [({"nprobe": 128}, 100)],
    ),
    (
        "OPQ64_256,IVF1024,PQ64x4fs",
        lambda: FaissIndex("OPQ64_256,IVF1024,PQ64x4fs"),
        [({"nprobe": n}, r) for n, r in ((16, 60), (18, 60), (20, 60), (40, 100))],
    ),
    (
        "PCA256,IVF256,RaBitQ",
        lambda: FaissIndex("PCA256,IVF256,RaBitQ"),
        [({"nprobe": n}, r) for n, r in ((32, 0), (32, 100), (128, 200))],
    ),
    (
        "HNSW32",
        lambda: FaissIndex("HNSW32"),
        [({"efSearch": n}, 0) for n in (32, 128, 512)],
    ),
    ("SQ8 (exact search in bytes)", lambda: FaissIndex("SQ8"), [({}, 0), ({}, 40)]),
]

OWN: list[tuple[str, Callable[[], Index], list[Setting]]] = [
    (
        "LOPQ 2x8, 32 x 8 bit",
        lambda: LopqIndex(LopqParams(pca=128)),
        [({"quota": 20}, 0), ({"quota": 1_000}, 0), ({}, 0)],
    ),
    (
        "LOPQ 2x8, 32 x 8 bit, shared codebooks",
        lambda: LopqIndex(LopqParams(pca=128, codebooks="shared")),
        [({"quota": 1_000}, 0), ({}, 0)],
    ),
    (
        "LOPQ 2x8, 64 x 4 bit",
        lambda: LopqIndex(LopqParams(pca=128, subquantisers=64, bits=4)),
        [({"quota": 1_000}, 0), ({}, 0)],
    ),
    (
        "LOPQ 1x16, 32 x 8 bit",
        lambda: LopqIndex(LopqParams(splits=1, coarse=16)),
        [({"quota": 1_000}, 0), ({}, 0)],
    ),
    (
        "LOPQ 1x1, 32 x 8 bit (one global rotation)",
        lambda: LopqIndex(LopqParams(splits=1, coarse=1)),
        [({}, 0)],
    ),
    ("OPQ32,IVF16,PQ32", lambda: FaissIndex("OPQ32,IVF16,PQ32"), [({"nprobe": 16}, 0)]),
    (
        "OPQ64,IVF16,PQ64x4fs",
        lambda: FaissIndex("OPQ64,IVF16,PQ64x4fs"),
        [({"nprobe": 4}, 0), ({"nprobe": 16}, 0)],
    ),
    ("HNSW32", lambda: FaissIndex("HNSW32"), [({"efSearch": 64}, 0)]),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", help="an .fvecs file")
    parser.add_argument("--count", type=int, default=67_732)
    parser.add_argument("--dimension", type=int, default=2_048)
    parser.add_argument("--queries", type=int, default=4_096)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="indexes whose name holds one of these, by |")
    args = parser.parse_args()
    faiss.omp_set_num_threads(args.threads)
    if args.vectors:
        everything = read_fvecs(args.vectors)
        everything = everything[np.random.default_rng(0).permutation(len(everything))]
        gallery, queries, plans = everything[200:], everything[:200], OWN
        order = "euclidean"
    else:
        drawn, _ = GaussianClasses(args.dimension).draw(args.count + args.queries)
        gallery, queries, plans = drawn[: args.count], drawn[args.count :], MADE
        order = "inner product"
    with threadpool_limits(args.threads):
        compare(gallery, queries, chosen(plans, args.only), order)


def chosen(plans: list, only: str) -> list:
    return [plan for plan in plans if any(part in plan[0] for part in only.split("|"))]


def compare(gallery: np.ndarray, queries: np.ndarray, plans: list, order: str) -> None:
    print(f"{len(gallery):,} x {gallery.shape[1]}, {len(queries):,} queries, nearest by {order}")
    seconds, nearest = timed(lambda: exact(gallery, queries, order))
    base = len(queries) / seconds
    print(f"{'':44}{'re-rank':>8}{'queries/s':>11}{'x exact':>9}{'recall@20':>11}")
    print(f"{'exact':44}{'':8}{base:11,.0f}{1:9.2f}{1:11.4f}")
    for name, make, settings in plans:
        measure(name, make(), settings, gallery, queries, nearest, base)


def measure(
    name: str,
    index: Index,
    settings: list[Setting],
    gallery: np.ndarray,
    queries: np.ndarray,
    nearest: np.ndarray,
    base: float,
) -> None:
    sample = np.random.default_rng(0).permutation(len(gallery))[:65_536]
    fit, _ = timed(lambda: index.fit(gallery[sample], seed=7), repeats=1)
    add, _ = timed(lambda: index.add(gallery), repeats=1)
    index.search(queries[:8], K)
    print(
        f"{name}: fit {fit:.1f} s, {len(gallery) / add:,.0f} vectors/s added, "
        f"{index.bytes_per_vector:.0f} bytes a vector"
    )
    for parameters, candidates in settings:
        call = partial(found, index, gallery, queries, parameters, candidates)
        call()
        seconds, ids = timed(call)
        speed = len(queries) / seconds
        said = ", ".join(f"{key} {value:,}" for key, value in parameters.items()) or "all"
        print(
            f"    {said:40}{candidates or '':>8}{speed:11,.0f}{speed / base:9.2f}"
            f"{recall(ids, nearest):11.4f}",
            flush=True,
        )


def exact(gallery: np.ndarray, queries: np.ndarray, order: str) -> np.ndarray:
    if order == "euclidean":
        return faiss.knn(queries, gallery, K)[1]
    return search_exact(np.arange(len(queries)), queries, blocks(gallery), K).hits


def blocks(gallery: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(gallery), 16_384):
        part = gallery[start : start + 16_384]
        yield np.arange(start, start + len(part)), part


def found(
    index: Index, gallery: np.ndarray, queries: np.ndarray, parameters: dict, candidates: int
) -> np.ndarray:
    if isinstance(index, FaissIndex):
        index.tune(**parameters)
        parameters = {}
    ids, _ = index.search(queries, max(K, candidates), **parameters)
    return rerank(queries, ids, gallery, K)[0] if candidates else ids


def recall(ids: np.ndarray, nearest: np.ndarray) -> float:
    return float(
        np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(ids, nearest, strict=True)])
    )


def timed(work: Callable, repeats: int = 3) -> tuple[float, np.ndarray]:
    """Seconds of the fastest of some runs, and what the work gives."""
    seconds, result = [], None
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return min(seconds), result


if __name__ == "__main__":
    main()
