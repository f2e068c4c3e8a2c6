"""Exact search as a share of the machine's matrix product.

    python benchmarks/exact.py [--count 67732] [--dimension 2048] [--queries 4096]

The rate of plain products of the same shapes (the faster of numpy and torch) is the ceiling: they
rank nothing. Beside it one query alone, and the engine of torch (product and topk).
"""

import argparse
import time
from collections.abc import Callable, Iterator

import car_retrieval.search  # before numpy: it lets OpenBLAS use the processor's wide kernels

# isort: split
import faiss
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from car_retrieval.search.exact import search_exact

assert car_retrieval.search.__doc__
K, BLOCK = 20, 16_384


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=67_732)
    parser.add_argument("--dimension", type=int, default=2_048)
    parser.add_argument("--queries", type=int, default=4_096)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    gallery, queries = (
        unit(rng.standard_normal((rows, args.dimension), np.float32))
        for rows in (args.count, args.queries)
    )
    work = 2 * args.count * args.dimension * args.queries / 1e9
    print(f"{args.queries:,} queries against {args.count:,} x {args.dimension}, GFLOP/s")
    print(f"{'threads':>8}{'product':>9}{'search_exact':>14}{'share':>7}{'torch topk':>12}", end="")
    print(f"{'queries/s':>11}{'one query, ms':>15}")
    for threads in (1, 2):
        faiss.omp_set_num_threads(threads)
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            ceiling = work / min(
                fastest(lambda: [queries @ part.T for _, part in blocks(gallery)]),
                fastest(lambda: [tensor(queries) @ tensor(part).T for _, part in blocks(gallery)]),
            )
            ours = fastest(lambda: search(queries, gallery))
            other = fastest(lambda: torch_search(queries, gallery))
            one = fastest(lambda: search(queries[:1], gallery))
        print(
            f"{threads:8}{ceiling:9.0f}{work / ours:14.0f}{work / ours / ceiling:7.0%}"
            f"{work / other:12.0f}{len(queries) / ours:11.0f}{1000 * one:15.1f}",
            flush=True,
        )


def search(queries: np.ndarray, gallery: np.ndarray) -> object:
    return search_exact(np.arange(len(queries)), queries, blocks(gallery), K)


def torch_search(queries: np.ndarray, gallery: np.ndarray) -> list[torch.Tensor]:
    return [(tensor(queries) @ tensor(part).T).topk(K).indices for _, part in blocks(gallery)]


def blocks(gallery: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(gallery), BLOCK):
        part = gallery[start : start + BLOCK]
        yield np.arange(start, start + len(part)), part


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fastest(work: Callable) -> float:
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


if __name__ == "__main__":
    main()
