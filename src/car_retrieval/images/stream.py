"""Ordered parallel processing of files by worker threads, with a bounded number in flight."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from car_retrieval.images.decode import UnreadableImageError

Result = TypeVar("Result")


def read(files: Mapping[str, bytes], path: str) -> bytes:
    """Read the file at `path`.

    Raises:
        UnreadableImageError: The file does not exist or cannot be read.
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

    Threads suffice, since reading, hashing, decoding and resizing all release the GIL.

    Args:
        work: Function called once per number, in any thread; its exceptions are raised in order.
        count: Number of results.
        workers: Number of threads.
        window: Maximum number of results being computed or waiting, at least 1.
    """
    if window < 1:
        raise ValueError(f"window must be at least 1, not {window}")
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
