"""FastAPI application: routes, page, middleware and error handlers."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles

from car_retrieval import __version__
from car_retrieval.serving.web.gallery_routes import gallery_routes
from car_retrieval.serving.web.middleware import GuardMiddleware, Limits, error_response
from car_retrieval.serving.web.model_reloader import ModelReloader
from car_retrieval.serving.web.root_path import RootPathMiddleware
from car_retrieval.serving.web.routes import routes
from car_retrieval.serving.web.service import Service
from car_retrieval.serving.web.telemetry import MetricsMiddleware

PAGE = Path(__file__).parent / "page"


def create_app(
    reloader: ModelReloader,
    limits: Limits | None = None,
    key: str | None = None,
    hosts: Collection[str] | None = None,
    root_path: str = "",
    cors_origins: Sequence[str] = (),
) -> FastAPI:
    """Create the service as an ASGI application.

    Args:
        reloader: source of the current retriever.
        limits: limits of the requests.
        key: API key, expected as `Authorization: Bearer KEY`; None allows requests without one,
            but none that changes the gallery.
        hosts: allowed values of the Host header, without port; None allows any.
        root_path: path below which a proxy offers the service, such as `/cars`.
        cors_origins: other origins whose pages may use the service.
    """
    limits = limits or Limits()
    service = Service(reloader, limits, writable=key is not None)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with service.running():
            yield

    app = FastAPI(
        title="car_retrieval",
        version=__version__,
        description="Search for the cars most similar to a photo.",
        docs_url=None,  # Swagger UI is loaded from another host
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    app.add_middleware(GuardMiddleware, limits=limits, key=key, hosts=hosts)
    app.add_middleware(MetricsMiddleware, telemetry=service.telemetry)
    if cors_origins:  # outside the guard: a preflight request has no key
        app.add_middleware(
            CORSMiddleware,
            allow_origins=cors_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization"],
            expose_headers=["Retry-After"],
        )
    if root_path:
        app.add_middleware(RootPathMiddleware, root_path=root_path)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(Exception, _internal_error)
    app.include_router(routes)
    app.include_router(gallery_routes)
    app.mount("/page", StaticFiles(directory=PAGE))

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.get("/health", summary="Check that the process responds")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/ready", summary="Check that searches are served, and from which run")
    async def ready() -> dict[str, str]:
        return {"version": reloader.retriever.version}

    return app


async def _validation_error(request: Request, error: Exception) -> Response:
    """Report the first invalid field of a request on one line."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(part for part in first["loc"][1:] if isinstance(part, str))
    return error_response(422, f"{field}: {first['msg']}")


async def _internal_error(request: Request, error: Exception) -> Response:
    """Hide the message of an unexpected error: it may name local files. It is in the log."""
    return error_response(500, "internal server error; see the log of the service")
