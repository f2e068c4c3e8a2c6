"""Prometheus metrics of the service."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from car_retrieval.serving.web.model_reloader import Live

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SIZES = (1, 2, 4, 8, 16, 32)


class Telemetry:
    """The numbers of one service, in a registry of its own."""

    def __init__(self, live: Live) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "car_retrieval_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "car_retrieval_request_seconds",
            "From the request's head to the answer's end.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.under_way = Gauge(
            "car_retrieval_requests_under_way",
            "Requests being answered.",
            registry=self.registry,
        )
        self.batches = Histogram(
            "car_retrieval_batch_size",
            "Queries answered together.",
            buckets=SIZES,
            registry=self.registry,
        )
        self.no_match = Counter(
            "car_retrieval_no_match",
            "Searches whose best match lies below the threshold.",
            registry=self.registry,
        )
        failures = Gauge(
            "car_retrieval_reload_failures",
            "Times that a newer run could not be opened.",
            registry=self.registry,
        )
        failures.set_function(lambda: live.failures)
        photos = Gauge(
            "car_retrieval_gallery_photos",
            "Photos that are searched.",
            registry=self.registry,
        )
        photos.set_function(lambda: len(live.retriever.photos))


class Observed:
    """Middleware that counts and times requests by route, not by address."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self.app, self.telemetry = app, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        start = time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            with self.telemetry.under_way.track_inprogress():
                await self.app(scope, receive, watched)
        finally:
            route = _route(scope)
            self.telemetry.requests.labels(scope["method"], route, status).inc()
            self.telemetry.seconds.labels(route).observe(time.perf_counter() - start)


def _route(scope: Scope) -> str:
    """`/images/{row}` and not `/images/12`; one name for all that no route answers."""
    return getattr(scope.get("route"), "path", "other")
