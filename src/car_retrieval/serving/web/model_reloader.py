"""Follow the newest run while the service runs."""

import asyncio
import logging
from collections.abc import Callable

from PIL import Image

from car_retrieval.serving.retriever import Retriever
from car_retrieval.serving.run_artifacts import evaluated
from car_retrieval.serving.web.short_lived_thread import apart

log = logging.getLogger(__name__)

SLOWEST = 600.0  # seconds between two tries of a run that cannot be opened


class Live:
    """What is being served; `follow` replaces it when a newer run lies there.

    Args:
        retriever: what to serve first.
        newest: versions of the newest results, as a retriever has them; cheap.
        reopen: opens the newest run.
        every: seconds between two looks.
    """

    def __init__(
        self,
        retriever: Retriever,
        newest: Callable[[], tuple[str, ...]],
        reopen: Callable[[], Retriever],
        every: float = 10.0,
    ) -> None:
        self.retriever = retriever
        self.failures = 0  # times that a newer run could not be opened
        self._newest, self._reopen, self._every = newest, reopen, every

    async def follow(self) -> None:
        """Look for a newer run, until cancelled.

        Once it is evaluated it is opened in a thread and replaces the other at once; requests under
        way keep theirs. A run that cannot be opened leaves the other in its place, and is tried
        again ever later.
        """
        wait = self._every
        while True:
            await asyncio.sleep(wait)
            try:
                await asyncio.to_thread(self._look)
                wait = self._every
            except Exception as error:
                self.failures += 1
                wait = min(2 * wait, SLOWEST)
                log.error(
                    "a newer run cannot be opened, %s is served on; next try in %.0f s: %s",
                    self.retriever.version,
                    wait,
                    error,
                )
                log.debug("opening failed", exc_info=True)

    def _look(self) -> None:
        versions = self._newest()
        if versions == self.retriever.versions:
            return
        if evaluated(self.retriever.versions) and not evaluated(versions):
            return
        self.retriever = retriever = opened(self._reopen)
        log.info("now serving run %s", retriever.version)


def opened(opening: Callable[[], Retriever]) -> Retriever:
    """Open a run, and search once in each way, so that no client waits for what is done only once.

    What a run cannot do shows here, before it is served.
    """
    return apart(lambda: _warm(opening()))


def _warm(retriever: Retriever) -> Retriever:
    image = retriever.prepare(Image.new("RGB", (64, 64)))
    for method in retriever.methods:
        retriever.search(retriever.describe(image[None]), 1, method)
    return retriever
