"""Batching of concurrent requests."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Batcher(Generic[Item, Result]):
    """Groups items that are submitted concurrently into batches, processed one after another.

    A batch waits only for items that are already being prepared, and not longer than `max_wait`; a
    single client never waits. While a batch is processed, the next one fills up, so that the batch
    size grows with the load.

    Args:
        process: function from the items of a batch to their results, in order; runs in `worker`.
        worker: executor with a single thread.
        preparers: executor in which items are prepared.
        max_size: maximum number of items in a batch.
        max_wait: maximum time to wait for items that are being prepared, in seconds.
        observe: function called with the size of each batch.
    """

    def __init__(
        self,
        process: Callable[[Sequence[Item]], Sequence[Result]],
        worker: Executor,
        preparers: Executor,
        max_size: int = 32,
        max_wait: float = 0.01,
        observe: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._process, self._worker, self._preparers = process, worker, preparers
        self._max_size, self._max_wait, self._observe = max_size, max_wait, observe
        self._preparing = 0
        self._prepared = asyncio.Event()
        self._queue: list[tuple[Item, asyncio.Future[Result]]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, prepare: Callable[[], Item]) -> Result:
        """Prepare an item in a thread, process it in a batch and return its result.

        Raises:
            Exception: the error of `prepare` or `process` for this item.
        """
        loop = asyncio.get_running_loop()
        self._preparing += 1
        try:
            item = await loop.run_in_executor(self._preparers, prepare)
        finally:
            self._preparing -= 1
            self._prepared.set()
        future: asyncio.Future[Result] = loop.create_future()
        self._queue.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._process_queue())
        return await future

    async def _process_queue(self) -> None:
        try:
            while self._queue:
                await self._fill_batch()
                batch, self._queue = self._queue[: self._max_size], self._queue[self._max_size :]
                await self._process_batch(
                    [(item, future) for item, future in batch if not future.done()]
                )
        finally:
            self._task = None

    async def _fill_batch(self) -> None:
        end = time.monotonic() + self._max_wait
        while self._preparing and len(self._queue) < self._max_size:
            self._prepared.clear()
            try:
                await asyncio.wait_for(self._prepared.wait(), end - time.monotonic())
            except TimeoutError:
                return

    async def _process_batch(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        if not batch:
            return
        self._observe(len(batch))
        loop = asyncio.get_running_loop()
        items = [item for item, _ in batch]
        try:
            results = await loop.run_in_executor(self._worker, self._process, items)
        except Exception as error:
            if len(batch) > 1:  # only the items that cause the error shall fail
                log.warning(
                    "a batch of %d failed, retrying its items one by one", len(batch), exc_info=True
                )
                for entry in batch:
                    await self._process_batch([entry])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
