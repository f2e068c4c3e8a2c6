"""Parallel work on rows with as many threads as faiss uses."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import faiss
from threadpoolctl import ThreadpoolController

_LIMITING = (
    threading.Lock()
)  # limits are process-wide: two concurrent ones would restore each other's


def in_parallel(work: Callable[[slice], None], rows: int, least: int = 8) -> None:
    """Split rows among Python threads; faiss and BLAS are single-threaded in each.

    The work must release the GIL. numba's parallel loops are not used: numba and torch share OpenMP
    state, and torch would sum in a different order after them.

    Args:
        work: function that processes a slice of the rows.
        rows: number of rows.
        least: minimum rows per thread.
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
