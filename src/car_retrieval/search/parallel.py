"""Work on rows, on as many threads as faiss uses."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import faiss
from threadpoolctl import ThreadpoolController

_LIMITING = threading.Lock()  # the limit is the process's: two would restore each other's


def in_parallel(work: Callable[[slice], None], rows: int, least: int = 8) -> None:
    """Split rows among threads; faiss and BLAS are single-threaded in each.

    These are Python's own threads, for work that releases the interpreter's lock. numba's parallel
    loops would not do: its OpenMP and torch's share one state, and torch would add up differently
    after them.

    Args:
        work: does a slice of the rows.
        rows: how many there are.
        least: rows worth a thread.
    """
    threads = min(faiss.omp_get_max_threads(), rows // least)
    if threads < 2:
        work(slice(0, rows))
        return
    step = -(-rows // threads)
    with _LIMITING, _blas().limit(limits=1, user_api="blas"):
        list(_pool(threads).map(work, (slice(at, at + step) for at in range(0, rows, step))))


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(
        threads,
        thread_name_prefix="search",
        initializer=faiss.omp_set_num_threads,
        initargs=(1,),
    )
