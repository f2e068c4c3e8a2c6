"""Draws many photos on all cores, in order, with few of them in memory at a time."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from os import cpu_count

from car_retrieval.sample.shots import File, Shot

BATCH = 32


def draw_all(shots: Sequence[Shot], workers: int | None) -> Iterator[list[File]]:
    """Draw the shots in order.

    Args:
        shots: What to draw.
        workers: Processes; None is one per core, 1 draws in this process.

    Yields:
        The files of one shot.
    """
    workers = workers or cpu_count() or 1
    if workers == 1:
        yield from map(_draw, shots)
        return
    # Spawned, because a forked copy of a process that runs threads (torch, BLAS) may hang.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        running: deque[Future[list[list[File]]]] = deque()
        for start in range(0, len(shots), BATCH):
            running.append(pool.submit(_draw_batch, shots[start : start + BATCH]))
            if len(running) > 2 * workers:
                yield from running.popleft().result()
        while running:
            yield from running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _draw(shot: Shot) -> list[File]:
    return shot.files()


def _draw_batch(shots: Sequence[Shot]) -> list[list[File]]:
    return [shot.files() for shot in shots]
