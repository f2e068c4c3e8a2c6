"""Limits of the number of threads of a search."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


def available_threads() -> int:
    """Return the number of cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Limit faiss, BLAS and `in_parallel` to a number of threads, at most those available."""
    with threadpool_limits(min(count, available_threads())):
        yield
