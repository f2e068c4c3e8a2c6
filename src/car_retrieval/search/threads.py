"""How many threads a search may take."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba
from threadpoolctl import threadpool_limits


def available_threads() -> int:
    """Cores that this process may use, or fewer where NUMBA_NUM_THREADS says so."""
    return int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Hold faiss, BLAS and the compiled loops to so many threads, at most those available."""
    count = min(count, available_threads())
    before = numba.get_num_threads()
    with threadpool_limits(count):
        numba.set_num_threads(count)
        try:
            yield
        finally:
            numba.set_num_threads(before)
