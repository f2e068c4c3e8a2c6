"""Requests that come alone, answered together."""

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
    """Answers what was asked meanwhile as one batch, one batch at a time.

    A batch waits only for requests that are known to come, and only shortly: one client alone never
    waits. While a batch is worked on the next one gathers, so that batches grow with the load.

    Args:
        work: from the items of a batch to their results, in order; runs in `worker`.
        worker: one thread.
        helpers: threads in which items are prepared.
        largest: most items of a batch.
        patience: longest wait for items that are being prepared, in seconds.
        observe: called with the size of each batch.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        worker: Executor,
        helpers: Executor,
        largest: int = 32,
        patience: float = 0.01,
        observe: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._work, self._worker, self._helpers = work, worker, helpers
        self._largest, self._patience, self._observe = largest, patience, observe
        self._coming = 0
        self._came = asyncio.Event()
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, prepare: Callable[[], Item]) -> Result:
        """Prepare an item in a helper's thread, and answer it with others.

        Raises:
            Exception: what `prepare` or `work` raised for this item.
        """
        loop = asyncio.get_running_loop()
        self._coming += 1
        try:
            item = await loop.run_in_executor(self._helpers, prepare)
        finally:
            self._coming -= 1
            self._came.set()
        answer: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._work_off())
        return await answer

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                await self._gather()
                batch, self._waiting = (
                    self._waiting[: self._largest],
                    self._waiting[self._largest :],
                )
                await self._answer([(item, to) for item, to in batch if not to.done()])
        finally:
            self._task = None

    async def _gather(self) -> None:
        end = time.monotonic() + self._patience
        while self._coming and len(self._waiting) < self._largest:
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), end - time.monotonic())
            except TimeoutError:
                return

    async def _answer(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        if not batch:
            return
        self._observe(len(batch))
        loop = asyncio.get_running_loop()
        items = [item for item, _ in batch]
        try:
            results = await loop.run_in_executor(self._worker, self._work, items)
        except Exception as error:
            if len(batch) > 1:  # the others shall not suffer
                log.warning("a batch of %d failed, each is tried alone", len(batch), exc_info=True)
                for one in batch:
                    await self._answer([one])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        for (_, answer), result in zip(batch, results, strict=True):
            if not answer.done():
                answer.set_result(result)
