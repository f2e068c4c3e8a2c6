"""Work in a thread that ends with it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def apart(work: Callable[[], Result]) -> Result:
    """Do work in a thread of its own, and wait for it.

    Each thread in which torch computes keeps helpers of its own (an OpenMP team) for as long as it
    lives. With more of them than cores, those of all threads go to sleep after every layer, and a
    search takes half as long again. So only the thread that searches may live on.
    """
    with ThreadPoolExecutor(1, "apart") as thread:
        return thread.submit(work).result()
