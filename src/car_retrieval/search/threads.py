"""Number of threads of a search."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


def available_threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Hold faiss, BLAS and what goes by faiss's setting to so many threads, at most those here."""
    with threadpool_limits(min(count, available_threads())):
        yield
