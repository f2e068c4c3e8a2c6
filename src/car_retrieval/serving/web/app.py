"""FastAPI application: routes, page, middleware and error handlers."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles

from car_retrieval import __version__
from car_retrieval.serving.web.middleware import Guard, Limits, refused
from car_retrieval.serving.web.model_reloader import Live
from car_retrieval.serving.web.routes import routes
from car_retrieval.serving.web.service import Service
from car_retrieval.serving.web.telemetry import Observed

PAGE = Path(__file__).parent / "page"


def create_app(
    live: Live,
    limits: Limits | None = None,
    key: str | None = None,
    hosts: Collection[str] | None = None,
) -> FastAPI:
    """The service as an ASGI application.

    Args:
        live: what is served.
        limits: of requests.
        key: what requests must bring as `Authorization: Bearer KEY`; None lets everybody in.
        hosts: names by which the service may be called; None: any.
    """
    limits = limits or Limits()
    service = Service(live, limits)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with service.running():
            yield

    app = FastAPI(
        title="car_retrieval",
        version=__version__,
        description="Cars most similar to a photo.",
        docs_url=None,  # Swagger's page comes from another host
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    app.add_middleware(Guard, limits=limits, key=key, hosts=hosts)
    app.add_middleware(Observed, telemetry=service.telemetry)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _failed)
    app.include_router(routes)
    app.mount("/page", StaticFiles(directory=PAGE))

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.get("/health", summary="Whether the process answers")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/ready", summary="Whether searches are answered, and from which run")
    async def ready() -> dict[str, str]:
        return {"version": live.retriever.version}

    return app


async def _invalid(request: Request, error: Exception) -> Response:
    """The first thing that is wrong with a form, in one line."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return refused(422, f"{place}: {first['msg']}")


async def _failed(request: Request, error: Exception) -> Response:
    """Nothing of what failed: its message may name files of this machine. The log has it all."""
    return refused(500, "the service failed on this request; its log says why")
