"""Routes of the service."""

import asyncio
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, File, Form, HTTPException, Query, Request, UploadFile
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from car_retrieval.gallery.photos import fields_of
from car_retrieval.images.decode import UnreadableImageError
from car_retrieval.search.rocchio import NothingLeftError
from car_retrieval.serving.retriever import Filters
from car_retrieval.serving.web.errors import ERRORS
from car_retrieval.serving.web.heat import Side, heat_picture
from car_retrieval.serving.web.pictures import for_browsers, jpeg
from car_retrieval.serving.web.request_parsing import (
    SearchRequest,
    check_id,
    check_photo,
    parse_options,
    parse_search_request,
    parse_where,
    parse_years,
    read_gallery_file,
    root_path_of,
    service_of,
)
from car_retrieval.serving.web.schemas import (
    GalleryResponse,
    SearchResponse,
    search_response,
)
from car_retrieval.serving.web.short_lived_thread import run_in_short_lived_thread

EXAMPLES = 8
PREVIEW = 2048  # pixels, as in page/photos.js

routes = APIRouter(responses=ERRORS)


@routes.post("/search", summary="Search for the cars most similar to a photo")
async def search(
    request: Request,
    search_request: Annotated[SearchRequest, Depends(parse_search_request)],
    k: Annotated[int, Form()] = 10,
    method: Annotated[str | None, Form(description="exact or lopq.")] = None,
    make: Annotated[str | None, Form()] = None,
    model: Annotated[str | None, Form()] = None,
    year_from: Annotated[int | None, Form()] = None,
    year_to: Annotated[int | None, Form()] = None,
    where: Annotated[
        list[str] | None,
        Form(description="field=value, field=value,value, field=low..high or field!=value."),
    ] = None,
) -> SearchResponse:
    """Search the gallery photos that pass the filters.

    Several photos are combined to one search (`car_retrieval.search.rocchio`).
    """
    service = service_of(request)
    retriever = search_request.retriever
    years = parse_years(retriever, year_from, year_to)
    filters = Filters(make or None, model or None, years, parse_where(where))
    options = parse_options(retriever, service.limits.k, k, method, filters)
    try:
        found = await service.batcher.submit(lambda: search_request.query(options))
    except NothingLeftError as error:
        raise HTTPException(422, str(error)) from error
    assert found.result is not None
    if found.result.above_threshold is False:
        service.telemetry.no_match.inc()
    return search_response(retriever, found.result, found.crop, root_path_of(request))


@routes.post(
    "/heat",
    summary="Draw a heat map of the similarity of a photo and a match",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "Photo as the network sees it"}},
)
async def heat(
    request: Request,
    search_request: Annotated[SearchRequest, Depends(parse_search_request)],
    match: Annotated[str, Form(description="Id of the match.")],
    on: Annotated[Side, Form(description="Photo to draw on.")] = "match",
) -> Response:
    """Draw how much each part of one photo contributes to its similarity with the other."""
    service = service_of(request)
    check_id(search_request.retriever, match)
    async with service.heat_map_slot():
        if await request.is_disconnected():  # the mouse pointer has left the match
            return Response(status_code=204)
        try:
            drawn = await asyncio.get_running_loop().run_in_executor(
                service.heat_pool,
                run_in_short_lived_thread,
                lambda: heat_picture(search_request.query(), match, on),
            )
        except NothingLeftError as error:
            raise HTTPException(422, str(error)) from error
        except (OSError, UnreadableImageError):
            raise HTTPException(404, "the file of a gallery photo is missing or damaged") from None
    return Response(drawn, media_type="image/png")


@routes.post(
    "/preview",
    summary="Convert a photo that a browser cannot show to a JPEG",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "The upright photo"}},
)
async def preview(
    request: Request, photo: Annotated[UploadFile, File(description="HEIC, TIFF and others.")]
) -> Response:
    """Return the photo as a JPEG of at most 2,048 pixels."""
    service = service_of(request)
    data = await photo.read()

    def convert() -> bytes:
        check_photo(data, service.limits.pixels)
        try:
            return jpeg(data, PREVIEW)
        except UnreadableImageError as error:
            raise HTTPException(422, f"photo: {error}") from error

    converted = await asyncio.get_running_loop().run_in_executor(service.decode_pool, convert)
    return Response(converted, media_type="image/jpeg")


@routes.get(
    "/images/{id}",
    summary="Get a gallery photo",
    response_class=Response,
    responses={200: {"content": {"image/*": {}}, "description": "The file or a thumbnail"}},
)
async def image(
    request: Request,
    id: str,
    size: Annotated[
        int | None, Query(ge=16, le=2048, description="Long side of the thumbnail in pixels.")
    ] = None,
) -> Response:
    """Return the file or a JPEG of it.

    Without a size, only formats that browsers cannot show, such as HEIC, are converted.
    """
    service = service_of(request)
    retriever = service.reloader.retriever
    check_id(retriever, id)
    etag = f'"{retriever.record(id).hash}/{size or "file"}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)

    def read() -> Response:
        data = read_gallery_file(retriever, id)
        try:
            if size is not None:
                return Response(jpeg(data, size), media_type="image/jpeg", headers=headers)
            shown, media_type = for_browsers(data)
            return Response(shown, media_type=media_type, headers=headers)
        except UnreadableImageError as error:
            raise HTTPException(404, f"the file of the photo {id} is damaged") from error

    return await asyncio.get_running_loop().run_in_executor(service.decode_pool, read)


@routes.get("/gallery", summary="Describe the gallery")
async def gallery(request: Request) -> GalleryResponse:
    """Return the current run and the available filters and methods."""
    service = service_of(request)
    retriever = service.reloader.retriever
    snapshot = retriever.gallery.snapshot()
    rows = np.flatnonzero(snapshot.present)
    shown = rows[np.linspace(0, len(rows) - 1, min(EXAMPLES, len(rows)), dtype=int)]
    return GalleryResponse(
        version=retriever.version,
        photos=len(snapshot),
        examples=[snapshot.ids[row] for row in shown],
        makes=retriever.makes,
        years=retriever.years,
        methods=retriever.methods,
        largest_k=service.limits.k,
        fields=fields_of(snapshot.photos.columns),
        writable=service.writable,
        untrained=retriever.untrained,
    )


@routes.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Return request counts, latencies and batch sizes in the Prometheus format."""
    text = generate_latest(service_of(request).telemetry.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
