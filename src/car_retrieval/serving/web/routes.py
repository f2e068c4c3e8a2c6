"""Routes of the service."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from car_retrieval.images.decode import UnreadableImageError
from car_retrieval.serving.retriever import Where
from car_retrieval.serving.web.heat import Side, heat_picture
from car_retrieval.serving.web.pictures import media_type, thumbnail
from car_retrieval.serving.web.request_parsing import (
    Asked,
    asked,
    check_row,
    check_version,
    gallery_file,
    options,
    service_of,
    years,
)
from car_retrieval.serving.web.schemas import Cars, Gallery, Refusal, cars
from car_retrieval.serving.web.short_lived_thread import apart

REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "The form is broken"},
    401: {"model": Refusal, "description": "The key is missing or wrong"},
    404: {"model": Refusal, "description": "The gallery has no such row"},
    409: {"model": Refusal, "description": "A newer run is served than the one named"},
    413: {"model": Refusal, "description": "Too many bytes or pixels"},
    415: {"model": Refusal, "description": "No form, or the photo is no picture"},
    422: {"model": Refusal, "description": "A value is wrong, or the photo damaged"},
    503: {"model": Refusal, "description": "Too many requests at a time: see Retry-After"},
}
FOREVER = "private, max-age=31536000, immutable"

routes = APIRouter(responses=REFUSALS)


@routes.post("/search", summary="The cars most similar to a photo")
async def search(
    request: Request,
    photo: Annotated[Asked, Depends(asked)],
    k: Annotated[int, Form()] = 10,
    method: Annotated[str | None, Form(description="exact or lopq.")] = None,
    make: Annotated[str | None, Form()] = None,
    model: Annotated[str | None, Form()] = None,
    year_from: Annotated[int | None, Form()] = None,
    year_to: Annotated[int | None, Form()] = None,
) -> Cars:
    """Describe the photo and search the gallery, or the part of it that the filters leave."""
    service = service_of(request)
    where = Where(make or None, model or None, years(photo.retriever, year_from, year_to))
    how = options(photo.retriever, service.limits.k, k, method, where)
    found = await service.queries.ask(lambda: photo.query(how))
    assert found.answer is not None
    if found.answer.known is False:
        service.telemetry.no_match.inc()
    return cars(photo.retriever, found.answer, found.crop)


@routes.post(
    "/heat",
    summary="Where a photo and a match are alike",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "As the network sees it"}},
)
async def heat(
    request: Request,
    photo: Annotated[Asked, Depends(asked)],
    match: Annotated[int, Form(description="A row of the gallery.")],
    on: Annotated[Side, Form(description="Whose picture to draw.")] = "match",
) -> Response:
    """Draw what each place of one picture does for its similarity with the other."""
    service = service_of(request)
    check_row(photo.retriever, match)
    async with service.turn_to_draw():
        if await request.is_disconnected():  # the pointer has moved on
            return Response(status_code=204)
        try:
            drawn = await asyncio.get_running_loop().run_in_executor(
                service.drawer, apart, lambda: heat_picture(photo.query(), match, on)
            )
        except (OSError, UnreadableImageError):
            raise HTTPException(404, "the file of a gallery photo is missing or damaged") from None
    return Response(drawn, media_type="image/png")


@routes.get(
    "/images/{row}",
    summary="A photo of the gallery",
    response_class=Response,
    responses={200: {"content": {"image/*": {}}, "description": "The file, or a small JPEG of it"}},
)
async def image(
    request: Request,
    row: int,
    version: Annotated[str | None, Query(description="The run that the row is of.")] = None,
    size: Annotated[
        int | None, Query(ge=16, le=2048, description="Long side of a JPEG in pixels.")
    ] = None,
) -> Response:
    """The file as it lies there, or a small JPEG of it; with a version it may be kept for good."""
    service = service_of(request)
    retriever = service.live.retriever
    check_version(retriever, version)
    check_row(retriever, row)
    headers = {
        "ETag": f'"{retriever.version}/{row}/{size or "file"}"',
        "Cache-Control": "private, no-cache" if version is None else FOREVER,
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)

    def read() -> Response:
        data = gallery_file(retriever, row)
        try:
            if size is not None:
                return Response(thumbnail(data, size), media_type="image/jpeg", headers=headers)
            return Response(data, media_type=media_type(data), headers=headers)
        except UnreadableImageError as error:
            raise HTTPException(404, f"the file of row {row} is damaged") from error

    return await asyncio.get_running_loop().run_in_executor(service.helpers, read)


@routes.get("/gallery", summary="What can be asked")
async def gallery(request: Request) -> Gallery:
    """The run, and what its gallery can be filtered by."""
    service = service_of(request)
    retriever = service.live.retriever
    return Gallery(
        version=retriever.version,
        photos=len(retriever.photos),
        makes=retriever.makes,
        years=retriever.years,
        methods=retriever.methods,
        largest_k=service.limits.k,
        untrained=retriever.untrained,
    )


@routes.get("/metrics", summary="Numbers for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Requests, latencies and batch sizes."""
    text = generate_latest(service_of(request).telemetry.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
