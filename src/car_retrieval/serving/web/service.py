"""State of the running service."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

from fastapi import HTTPException

from car_retrieval.search.threads import available_threads
from car_retrieval.serving.web.batching import Batcher
from car_retrieval.serving.web.middleware import Limits
from car_retrieval.serving.web.model_reloader import Live
from car_retrieval.serving.web.query_result import Found, Query, answer
from car_retrieval.serving.web.telemetry import Telemetry

HEAT_MAPS = 8  # waiting at most, so that they leave room for searches


class Service:
    """The run that is served, and the threads that serve it.

    One thread describes and searches, with all cores; as many as there are cores decode photos; one
    draws heat maps, so that the hovering of some does not slow down the searches of others.
    """

    def __init__(self, live: Live, limits: Limits) -> None:
        self.live, self.limits, self.telemetry = live, limits, Telemetry(live)
        self.helpers = ThreadPoolExecutor(available_threads(), "photo")
        self.drawer = ThreadPoolExecutor(1, "heat")
        self._worker = ThreadPoolExecutor(1, "search")
        self._heat, self._heat_wanted = asyncio.Semaphore(1), 0
        self.queries: Batcher[Query, Found] = Batcher(
            answer, self._worker, self.helpers, observe=self.telemetry.batches.observe
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Follow new runs meanwhile; needs a running loop."""
        following = asyncio.create_task(self.live.follow())
        try:
            yield
        finally:
            following.cancel()
            for threads in (self.helpers, self.drawer, self._worker):
                threads.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def turn_to_draw(self) -> AsyncIterator[None]:
        """Wait for the turn of a heat map.

        Raises:
            HTTPException: 503, a queue of them is waiting.
        """
        if self._heat_wanted >= HEAT_MAPS:
            raise HTTPException(503, "too many heat maps are waiting", {"Retry-After": "1"})
        self._heat_wanted += 1
        try:
            async with self._heat:
                yield
        finally:
            self._heat_wanted -= 1
