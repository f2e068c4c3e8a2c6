"""Prometheus metrics of the service."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from car_retrieval.serving.web.model_reloader import ModelReloader

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SIZES = (1, 2, 4, 8, 16, 32)


class Telemetry:
    """Metrics of one service, in a separate registry.

    Args:
        reloader: source of the current retriever.
    """

    def __init__(self, reloader: ModelReloader) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "car_retrieval_requests",
            "Completed requests.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "car_retrieval_request_seconds",
            "Time from the request headers to the end of the response.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "car_retrieval_requests_under_way",
            "Requests in progress.",
            registry=self.registry,
        )
        self.batches = Histogram(
            "car_retrieval_batch_size",
            "Queries processed in one batch.",
            buckets=SIZES,
            registry=self.registry,
        )
        self.no_match = Counter(
            "car_retrieval_no_match",
            "Searches whose best match is below the threshold.",
            registry=self.registry,
        )
        failures = Gauge(
            "car_retrieval_reload_failures",
            "Failed attempts to open a newer run.",
            registry=self.registry,
        )
        failures.set_function(lambda: reloader.failures)
        photos = Gauge(
            "car_retrieval_gallery_photos",
            "Photos in the gallery.",
            registry=self.registry,
        )
        photos.set_function(lambda: len(reloader.retriever.gallery.snapshot()))


class MetricsMiddleware:
    """Middleware that counts and times requests by route.

    Args:
        app: the wrapped application.
        telemetry: metrics to update.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self.app, self.telemetry = app, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request and record its status and duration."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        start = time.perf_counter()

        async def send_and_record(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            with self.telemetry.in_progress.track_inprogress():
                await self.app(scope, receive, send_and_record)
        finally:
            route = _route(scope)
            self.telemetry.requests.labels(scope["method"], route, status).inc()
            self.telemetry.seconds.labels(route).observe(time.perf_counter() - start)


def _route(scope: Scope) -> str:
    """Return the path template, such as `/images/{id}`, or `other` if no route matched."""
    return getattr(scope.get("route"), "path", "other")
