"""Run work in a short-lived thread."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def run_in_short_lived_thread(work: Callable[[], Result]) -> Result:
    """Run work in a new thread, wait for it and return its result.

    Every thread that computes with torch keeps its own OpenMP team for as long as it lives. When
    there are more of these threads than cores, all of them go to sleep after each layer, and a
    search takes 1.5 times as long. Therefore only the search thread is long-lived.
    """
    with ThreadPoolExecutor(1, "short-lived") as thread:
        return thread.submit(work).result()
