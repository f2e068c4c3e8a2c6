"""Reload the model when a newer run is available."""

import asyncio
import logging
from collections.abc import Callable

from PIL import Image

from car_retrieval.serving.retriever import Retriever
from car_retrieval.serving.run_artifacts import is_evaluated
from car_retrieval.serving.web.short_lived_thread import run_in_short_lived_thread

log = logging.getLogger(__name__)

MAX_WAIT = 600.0  # seconds between two attempts to open a run that failed to open


class ModelReloader:
    """Retriever of the latest run; `watch` replaces it when a newer run is available.

    Args:
        retriever: the initial retriever.
        latest_versions: function that returns the latest versions, comparable with those of a
            retriever; called at every check, so it must be cheap.
        reopen: function that opens the latest run.
        interval: seconds between two checks.

    Attributes:
        retriever: the current retriever.
        failures: number of failed attempts to open a newer run.
    """

    def __init__(
        self,
        retriever: Retriever,
        latest_versions: Callable[[], tuple[str, ...]],
        reopen: Callable[[], Retriever],
        interval: float = 10.0,
    ) -> None:
        self.retriever = retriever
        self.failures = 0
        self._latest_versions, self._reopen, self._interval = latest_versions, reopen, interval

    async def watch(self) -> None:
        """Check for a newer run at regular intervals, until cancelled.

        A newer run is opened in a thread once it is evaluated. Requests in progress keep the
        previous retriever. If a run fails to open, the previous retriever remains in use, and the
        next attempts follow at increasing intervals.
        """
        wait = self._interval
        while True:
            await asyncio.sleep(wait)
            try:
                await asyncio.to_thread(self._reload_if_newer)
                wait = self._interval
            except Exception as error:
                self.failures += 1
                wait = min(2 * wait, MAX_WAIT)
                log.error(
                    "cannot open the newer run, still serving run %s; next attempt in %.0f s: %s",
                    self.retriever.version,
                    wait,
                    error,
                )
                log.debug("failed to open the newer run", exc_info=True)

    def _reload_if_newer(self) -> None:
        versions = self._latest_versions()
        if versions == self.retriever.versions:
            return
        if is_evaluated(self.retriever.versions) and not is_evaluated(versions):
            return
        self.retriever = retriever = open_and_warm_up(self._reopen)
        log.info("now serving run %s", retriever.version)


def open_and_warm_up(open_run: Callable[[], Retriever]) -> Retriever:
    """Open a run and search it once with each method.

    This moves one-time costs out of the first request, and reveals a broken run before it is
    served.
    """
    return run_in_short_lived_thread(lambda: _warm_up(open_run()))


def _warm_up(retriever: Retriever) -> Retriever:
    image = retriever.prepare(Image.new("RGB", (64, 64)))
    for method in retriever.methods:
        retriever.search(retriever.describe(image[None]), 1, method)
    return retriever
