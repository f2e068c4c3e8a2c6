"""How LOPQ grows: fit, add, search and peak memory from 3,000 to 10,000,000 vectors.

    python benchmarks/growth.py [--sizes 100000x512 1000000x512]

Each size runs in a process of its own. The vectors (see `vectors.py`, 40 a class) lie on disk,
where the re-ranking maps them; a batch of 256 queries and single ones are searched, on two threads,
and compared with exact search that streams the same file. The peak is that of LOPQ, with the pages
of the file that are mapped.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

QUERIES, K, BLOCK = 256, 20, 65_536
SIZES = ["3000x512", "10000x512", "100000x512", "1000000x512", "10000000x128"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    print(
        f"{'vectors':>17}{'fit s':>7}{'add/s':>9}{'quota':>9}{'queries/s':>11}{'one, ms':>9}"
        f"{'recall@20':>11}{'exact q/s':>11}{'index MB':>10}{'peak MB':>9}{'file MB':>9}"
    )
    for size in args.sizes:
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            path, queries = Path(folder) / "vectors.npy", Path(folder) / "queries.npy"
            for target, arguments in ((draw, (path, queries, size)), (measure, (path, queries))):
                process = context.Process(target=target, args=arguments)
                process.start()
                process.join()
                if process.exitcode:
                    raise SystemExit(f"{target.__name__} failed at {size}")


def draw(path: Path, queries: Path, size: str) -> None:
    from vectors import GaussianClasses

    from car_retrieval.io.matrix import MatrixStream, write_matrix

    count, dimension = map(int, size.split("x"))
    classes = GaussianClasses(dimension, classes=max(75, count // 40))
    np.save(queries, classes.draw(QUERIES)[0])

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, count, BLOCK):
            yield classes.draw(min(BLOCK, count - start))[0]

    write_matrix(path, MatrixStream(blocks()))


def measure(path: Path, query_path: Path) -> None:
    import resource

    import faiss

    from car_retrieval.io.matrix import Matrix
    from car_retrieval.search.exact import search_exact
    from car_retrieval.search.lopq.fit import LopqParams
    from car_retrieval.search.lopq.index import LopqIndex
    from car_retrieval.search.searcher import Searcher

    faiss.omp_set_num_threads(2)
    gallery, queries = Matrix(path), np.load(query_path)
    quota = max(50_000, len(gallery) // 20)
    coarse = 8 if len(gallery) <= 200_000 else 64
    index = LopqIndex(LopqParams(coarse=coarse, pca=128, quota=quota))
    rng = np.random.default_rng(0)
    sample = gallery[np.sort(rng.choice(len(gallery), min(len(gallery), 65_536), replace=False))]
    began = time.perf_counter()
    index.fit(sample, seed=7)
    fit = time.perf_counter() - began
    began = time.perf_counter()
    index.add(gallery)
    add = time.perf_counter() - began
    searcher = Searcher(index, gallery, rerank=200)
    searcher.search(queries, K)
    began = time.perf_counter()
    ids, _ = searcher.search(queries, K)
    batch = time.perf_counter() - began
    searcher.search(queries[:1], K)
    began = time.perf_counter()
    for row in range(32):
        searcher.search(queries[row : row + 1], K)
    one = (time.perf_counter() - began) / 32
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(gallery), BLOCK):
            part = gallery[start : start + BLOCK]
            yield np.arange(start, start + len(part)), part

    search_exact(np.arange(1), queries[:1], [(np.arange(1), queries[:1])], 1)  # wakes the libraries
    began = time.perf_counter()
    nearest = search_exact(np.arange(QUERIES), queries, blocks(), K).hits
    exact = time.perf_counter() - began
    recall = np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(ids, nearest, strict=True)])
    print(
        f"{len(gallery):>11,} x {gallery.shape[1]:<3}{fit:7.1f}{len(gallery) / add:9,.0f}"
        f"{quota:9,}{QUERIES / batch:11,.0f}{1000 * one:9.1f}{recall:11.4f}{QUERIES / exact:11,.0f}"
        f"{index.bytes_per_vector * len(gallery) / 1e6:10,.0f}{peak * 1024 / 1e6:9,.0f}"
        f"{path.stat().st_size / 1e6:9,.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
