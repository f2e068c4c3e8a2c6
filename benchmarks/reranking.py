"""k-reciprocal re-ranking of a large gallery: seconds, and memory, which N × N distances forbid.

    python benchmarks/reranking.py [--gallery 50000] [--queries 5000] [--candidates 200]

Made vectors of 128 dimensions (see `vectors.py`, 40 a class) on disk, two threads. The sets of the
gallery are made for the first query. Memory is resident memory above the level at the start, and
what a float32 matrix of the distances between all photos would take is given for comparison.
"""

import argparse
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
from vectors import GaussianClasses

from car_retrieval.io.matrix import Matrix, write_matrix
from car_retrieval.io.memory import MemoryWatch
from car_retrieval.params import KReciprocalParams
from car_retrieval.search.gallery import Gallery, joined
from car_retrieval.search.kreciprocal import KReciprocal
from car_retrieval.search.result import RetrievalResult

BATCH, K, DIMENSION = 4_096, 20, 128


def answers(ranking: Gallery | KReciprocal, queries: np.ndarray) -> RetrievalResult:
    parts = []
    for start in range(0, len(queries), BATCH):
        batch = queries[start : start + BATCH]
        parts.append(ranking.search(np.arange(start, start + len(batch)), batch, K))
    return joined(parts, K)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gallery", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=5_000)
    parser.add_argument("--candidates", type=int, default=200)
    args = parser.parse_args()
    faiss.omp_set_num_threads(2)
    classes = GaussianClasses(DIMENSION, classes=args.gallery // 40)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        vectors, labels = classes.draw(args.gallery)
        write_matrix(Path(folder) / "gallery.npy", vectors)
        queries, wanted = classes.draw(args.queries)
        gallery = Gallery(Matrix(Path(folder) / "gallery.npy"), np.arange(args.gallery))
        del vectors
        settings = KReciprocalParams(kind="kreciprocal", candidates=args.candidates)
        ranking = KReciprocal(gallery, **settings.model_dump(exclude={"kind"}))
        answers(gallery, queries[:8])  # compiles and wakes the libraries
        stages = {
            "plain search": lambda: answers(gallery, queries),
            "gallery's sets": lambda: answers(ranking, queries[:1]),
            "re-ranking": lambda: answers(ranking, queries),
        }
        with MemoryWatch() as watch:
            watch.reset()
            level = watch.reset()
            for name, stage in stages.items():
                start = time.perf_counter()
                found = stage()
                seconds, peak = time.perf_counter() - start, watch.reset() - level
                line = f"{name:16}{seconds:8.1f} s{peak / 1e6:8,.0f} MB"
                if len(found.hits) == len(queries):
                    line += f"   precision@{K} {(labels[found.hits] == wanted[:, None]).mean():.4f}"
                print(line, flush=True)
    whole = 4 * (args.gallery + args.queries) ** 2
    print(f"a matrix of all distances would take {whole / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
