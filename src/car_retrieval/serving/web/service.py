"""What lives as long as the service does."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from car_retrieval.search.threads import available_threads
from car_retrieval.serving.web.batching import Batcher
from car_retrieval.serving.web.guard import Limits
from car_retrieval.serving.web.live import Live
from car_retrieval.serving.web.queries import Found, Query, answer
from car_retrieval.serving.web.telemetry import Telemetry


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
        self.one_heat_map = asyncio.Semaphore(1)
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
