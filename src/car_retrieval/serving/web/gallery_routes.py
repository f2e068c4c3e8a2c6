"""Routes that show and change single gallery photos."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, File, Form, HTTPException, Request, UploadFile
from fastapi.responses import Response

from car_retrieval.gallery.checked_labels import checked
from car_retrieval.gallery.record import Labels, Value
from car_retrieval.serving.gallery_writer import NewPhoto, Outcome
from car_retrieval.serving.web.errors import ERRORS
from car_retrieval.serving.web.request_parsing import (
    check_id,
    check_photo,
    root_path_of,
    service_of,
)
from car_retrieval.serving.web.schemas import GalleryField, GalleryPhoto, gallery_photo
from car_retrieval.serving.web.service import Service

Result = TypeVar("Result")

gallery_routes = APIRouter(prefix="/gallery", responses=ERRORS)


def parse_labels(
    class_: Annotated[
        str | None, Form(alias="class", description="Name or number of the class.")
    ] = None,
    make: Annotated[str | None, Form()] = None,
    model: Annotated[str | None, Form()] = None,
    year: Annotated[int | None, Form(ge=0, le=9999)] = None,
    fields: Annotated[
        str | None, Form(description="Further fields as a JSON object of texts and numbers.")
    ] = None,
) -> Labels:
    """Read labels from a form; used as a FastAPI dependency."""
    try:
        return checked(Labels(class_, make, model, year, None, _fields(fields)))
    except ValueError as error:
        raise HTTPException(422, str(error)) from error


@gallery_routes.post("", summary="Add a photo", status_code=201)
async def add(
    request: Request,
    photo: Annotated[UploadFile, File(description="JPEG, PNG, WebP and others.")],
    labels: Annotated[Labels, Depends(parse_labels)],
) -> GalleryPhoto:
    """Add a photo; the next search finds it.

    A photo with the same content is corrected instead: its `status` is `updated` or `unchanged`.
    """
    service = _writable(request)
    data, name = await photo.read(), photo.filename or "photo"

    def write() -> Outcome:
        check_photo(data, service.limits.pixels)
        [outcome] = service.writer().add([NewPhoto(data, name, labels)])
        return outcome

    outcome = await _in_thread(service, write)
    if outcome.record is None or outcome.kind == "skipped":
        raise HTTPException(422, f"photo: {outcome.reason}")
    return gallery_photo(
        service.reloader.retriever, outcome.record.id, root_path_of(request), outcome.kind
    )


@gallery_routes.get("/fields", summary="List the fields of the photos and their values")
async def fields(request: Request) -> list[GalleryField]:
    """Return the fields that a condition (`where`) can use, with frequent values."""
    service = service_of(request)

    def listed() -> list[GalleryField]:
        found = service.reloader.retriever.gallery.snapshot().fields
        return [GalleryField(**asdict(field)) for field in found]

    return await asyncio.get_running_loop().run_in_executor(service.decode_pool, listed)


@gallery_routes.get("/{id}", summary="Get the labels of a photo")
async def labels_of(request: Request, id: str) -> GalleryPhoto:
    """Return what is known about a gallery photo."""
    retriever = service_of(request).reloader.retriever
    check_id(retriever, id)
    return gallery_photo(retriever, id, root_path_of(request))


@gallery_routes.put("/{id}", summary="Replace the labels of a photo, and its file")
async def correct(
    request: Request,
    id: str,
    labels: Annotated[Labels, Depends(parse_labels)],
    photo: Annotated[
        UploadFile | None, File(description="New file of the photo; without it, the file stays.")
    ] = None,
) -> GalleryPhoto:
    """Replace all labels of a photo; values that are not given become unknown.

    A new file is described again. The photo keeps its id and its path.
    """
    service = _writable(request)
    check_id(service.reloader.retriever, id)
    data = None if photo is None else await photo.read()

    def write() -> None:
        if data is not None:
            check_photo(data, service.limits.pixels)
        try:
            service.writer().correct(id, labels, data)
        except ValueError as error:
            raise HTTPException(422, f"photo: {error}") from error

    await _in_thread(service, write)
    return gallery_photo(service.reloader.retriever, id, root_path_of(request), "updated")


@gallery_routes.delete("/{id}", summary="Remove a photo", status_code=204)
async def remove(request: Request, id: str) -> Response:
    """Remove a photo; no later search finds it."""
    service = _writable(request)
    check_id(service.reloader.retriever, id)
    await _in_thread(service, lambda: service.writer().remove([id]))
    return Response(status_code=204)


def _writable(request: Request) -> Service:
    service = service_of(request)
    if not service.writable:
        raise HTTPException(
            403, "the gallery can be changed only if the service requires an API key"
        )
    return service


async def _in_thread(service: Service, work: Callable[[], Result]) -> Result:
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(service.change_pool, work)
    except KeyError as error:
        raise HTTPException(404, str(error.args[0])) from error


def _fields(text: str | None) -> dict[str, Value]:
    if not text:
        return {}
    try:
        fields: Any = json.loads(text)
    except ValueError:
        raise HTTPException(422, "fields: not a JSON object") from None
    kinds = (str, int, float, bool)
    if not isinstance(fields, dict) or not all(isinstance(one, kinds) for one in fields.values()):
        raise HTTPException(422, "fields: expected a JSON object of texts, numbers and booleans")
    return fields
