"""State of the running service."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import numpy as np
from fastapi import HTTPException
from numpy.typing import NDArray

from car_retrieval.search.threads import available_threads
from car_retrieval.serving.gallery_writer import GalleryWriter
from car_retrieval.serving.web.batching import Batcher
from car_retrieval.serving.web.middleware import Limits
from car_retrieval.serving.web.model_reloader import ModelReloader
from car_retrieval.serving.web.query_result import Query, QueryResult, run_queries
from car_retrieval.serving.web.telemetry import Telemetry

MAX_HEAT_MAPS = 8  # queued or being drawn, so that requests for heat maps leave room for searches


class Service:
    """The current retriever, and the thread pools that process requests.

    One thread encodes and searches on all cores; one thread per core decodes photos. One thread
    changes the gallery and one draws heat maps, so that they slow down searches little.

    Args:
        reloader: source of the current retriever.
        limits: limits of the requests.
        writable: whether the gallery can be changed.
    """

    def __init__(self, reloader: ModelReloader, limits: Limits, writable: bool = False) -> None:
        self.reloader, self.limits, self.telemetry = reloader, limits, Telemetry(reloader)
        self.writable = writable
        self.change_pool = ThreadPoolExecutor(1, "change")
        self.decode_pool = ThreadPoolExecutor(available_threads(), "photo")
        self.heat_pool = ThreadPoolExecutor(1, "heat")
        self._search_pool = ThreadPoolExecutor(1, "search")
        self._heat_lock, self._heat_requests = asyncio.Semaphore(1), 0
        self.batcher: Batcher[Query, QueryResult] = Batcher(
            run_queries,
            self._search_pool,
            self.decode_pool,
            observe=self.telemetry.batches.observe,
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch for newer runs, and shut the thread pools down at the end; needs an event loop."""
        self._loop = asyncio.get_running_loop()
        watching = asyncio.create_task(self.reloader.watch())
        try:
            yield
        finally:
            watching.cancel()
            for pool in (self.decode_pool, self.heat_pool, self.change_pool, self._search_pool):
                pool.shutdown(wait=False, cancel_futures=True)

    def writer(self) -> GalleryWriter:
        """Return a writer of the current gallery, which describes photos with those of searches.

        Call it and its methods in `change_pool`.
        """
        retriever = self.reloader.retriever

        def describe(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            async def submit() -> list[QueryResult]:
                made = (partial(Query, retriever, image) for image in images)
                return await asyncio.gather(*map(self.batcher.submit, made))

            results = asyncio.run_coroutine_threadsafe(submit(), self._loop).result()
            return np.stack([result.descriptor for result in results])

        return GalleryWriter(retriever, describe)

    @asynccontextmanager
    async def heat_map_slot(self) -> AsyncIterator[None]:
        """Wait until a heat map can be drawn.

        Raises:
            HTTPException: 503, the queue is full.
        """
        if self._heat_requests >= MAX_HEAT_MAPS:
            raise HTTPException(
                503, "too many heat maps are queued, try again later", {"Retry-After": "1"}
            )
        self._heat_requests += 1
        try:
            async with self._heat_lock:
                yield
        finally:
            self._heat_requests -= 1
