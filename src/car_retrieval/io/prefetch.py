"""Prefetch the next item in a background thread."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(read: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield the results of `read` in order; the next is computed in a thread.

    Raises:
        Exception: an exception of `read`, raised at its position in the order.
    """
    with ThreadPoolExecutor(1, "reader") as reader:
        ready: Future[Result] | None = None
        for item in items:
            coming = reader.submit(read, item)
            if ready is not None:
                yield ready.result()
            ready = coming
        if ready is not None:
            yield ready.result()
