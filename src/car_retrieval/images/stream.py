"""Streaming files through worker threads: results in order, a bounded number in flight."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from car_retrieval.images.decode import UnreadableImageError

Result = TypeVar("Result")


def read(files: Mapping[str, bytes], path: str) -> bytes:
    """The bytes of the file at `path`.

    Raises:
        UnreadableImageError: There is no such file, or it cannot be read.
    """
    try:
        return files[path]
    except (KeyError, FileNotFoundError):
        raise UnreadableImageError("file not found") from None
    except OSError as error:
        raise UnreadableImageError(f"it cannot be read: {error.strerror}") from error


def in_order(
    work: Callable[[int], Result], count: int, workers: int, window: int
) -> Iterator[Result]:
    """Yield `work(0)`, `work(1)` … `work(count - 1)`, computed by `workers` threads.

    Threads suffice: reading, hashing, decoding and resizing all release the interpreter's lock.

    Args:
        work: Called once for each number, in any thread; what it raises is raised here in turn.
        count: How many results.
        workers: Number of threads.
        window: At most this many results are under way or waiting to be taken, at least 1.
    """
    if window < 1:
        raise ValueError(f"the window must hold at least 1 result, not {window}")
    numbers = iter(range(count))
    pool = ThreadPoolExecutor(workers)
    try:
        pending = deque(pool.submit(work, number) for number in islice(numbers, window))
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(work, number) for number in islice(numbers, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
