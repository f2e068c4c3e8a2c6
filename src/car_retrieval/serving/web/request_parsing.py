"""Parse and validate requests; an invalid one is refused with a one-line reason."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import File, Form, HTTPException, Request, UploadFile
from PIL.Image import DecompressionBombError

from car_retrieval.images.decode import UnreadableImageError
from car_retrieval.serving.retriever import AUTO, Auto, Crop, Filters, Retriever
from car_retrieval.serving.web.pictures import dimensions
from car_retrieval.serving.web.query_result import Query, SearchOptions
from car_retrieval.serving.web.service import Service
from car_retrieval.serving.web.short_lived_thread import run_in_short_lived_thread


@dataclass(frozen=True)
class SearchRequest:
    """The query photo of a request: an uploaded file or a gallery row, and the part of it to use.

    Attributes:
        retriever: retriever of the run that was current when the request arrived.
        data: contents of the uploaded file; None if `row` is given.
        row: row of a gallery photo; None if a file was uploaded.
        crop: part of the photo; None: all of it.
        max_pixels: maximum size of an uploaded photo in pixels.
    """

    retriever: Retriever
    data: bytes | None
    row: int | None
    crop: Crop | Auto | None
    max_pixels: int

    def query(self, options: SearchOptions | None = None) -> Query:
        """Decode and pack the photo; slow, so call it in a worker thread.

        Raises:
            HTTPException: the photo, the crop or the filters are invalid.
        """
        if options is not None and options.filters != Filters():
            try:
                options.filters.mask(self.retriever.photos)
            except ValueError as error:
                raise HTTPException(422, str(error)) from error
        if self.data is None and self.crop in (None, AUTO):  # use the stored descriptor
            return Query(self.retriever, None, self.row, options)
        file = self._file()
        try:
            crop = (
                run_in_short_lived_thread(lambda: self.retriever.propose(file))
                if self.crop == AUTO
                else self.crop
            )
            image = self.retriever.prepare(file, crop)
        except ValueError as error:
            raise HTTPException(422, f"photo: {error}") from error
        return Query(self.retriever, image, self.row, options, crop)

    def _file(self) -> bytes:
        if self.row is None:
            assert self.data is not None
            check_photo(self.data, self.max_pixels)
            return self.data
        return read_gallery_file(self.retriever, self.row)


def service_of(request: Request) -> Service:
    """Return the service that handles a request."""
    return request.app.state.service


async def parse_search_request(
    request: Request,
    photo: Annotated[UploadFile | None, File(description="JPEG, HEIC, PNG and others.")] = None,
    row: Annotated[int | None, Form(description="Gallery photo to use instead.")] = None,
    version: Annotated[str | None, Form(description="Version of the run of `row`.")] = None,
    crop: Annotated[
        str | None,
        Form(
            description="Part of the photo: x1,y1,x2,y2 in 1-based pixels, inclusive; or auto: "
            "the car, if the gallery photos are cropped."
        ),
    ] = None,
) -> SearchRequest:
    """Read the query photo from a form; used as a FastAPI dependency."""
    service = service_of(request)
    retriever = service.reloader.retriever
    data = None if photo is None else await photo.read()
    if (data is None) == (row is None):
        raise HTTPException(422, "send either a photo or a row")
    check_version(retriever, version)
    if row is not None:
        check_row(retriever, row)
    return SearchRequest(retriever, data, row, parse_crop(crop), service.limits.pixels)


def parse_options(
    retriever: Retriever, max_k: int, k: int, method: str | None, filters: Filters
) -> SearchOptions:
    """Validate the options of a search.

    Raises:
        HTTPException: 422, k is out of range or the method is unknown.
    """
    method = method or retriever.methods[0]
    if not 1 <= k <= max_k:
        raise HTTPException(422, f"k must be between 1 and {max_k}, got {k}")
    if method not in retriever.methods:
        available = " or ".join(retriever.methods)
        raise HTTPException(422, f"method must be {available}, got {method!r}")
    return SearchOptions(k, method, filters)


def check_version(retriever: Retriever, version: str | None) -> None:
    """Refuse a row of a run that is no longer served; None is the current run."""
    if version is not None and version != retriever.version:
        raise HTTPException(
            409,
            "the requested run is no longer served; search again in the current run "
            f"{retriever.version}",
        )


def check_row(retriever: Retriever, row: int) -> None:
    """Refuse a row outside the gallery."""
    count = len(retriever.photos)
    if not 0 <= row < count:
        raise HTTPException(404, f"row {row} is outside the gallery's rows 0 to {count - 1}")


def read_gallery_file(retriever: Retriever, row: int) -> bytes:
    """Read the file of a gallery photo; a missing file is answered with 404."""
    try:
        return retriever.image(row)
    except OSError as error:
        raise HTTPException(404, f"the file of row {row} is missing") from error


def check_photo(data: bytes, max_pixels: int) -> None:
    """Refuse a file that is not a picture or has too many pixels, according to its header."""
    limit = f"the limit of {max_pixels / 1e6:g} megapixels"
    try:
        size = dimensions(data)
    except DecompressionBombError as error:
        raise HTTPException(413, f"photo: too many pixels, above {limit}") from error
    except UnreadableImageError as error:
        raise HTTPException(415, f"photo: {error}") from error
    if size[0] * size[1] > max_pixels:
        raise HTTPException(413, f"photo: {size[0]} x {size[1]} pixels exceed {limit}")


def parse_crop(text: str | None) -> Crop | Auto | None:
    """Parse `x1,y1,x2,y2` or `auto`."""
    if not text:
        return None
    if text == AUTO:
        return AUTO
    try:
        x1, y1, x2, y2 = (int(part) for part in text.split(","))
    except ValueError:
        raise HTTPException(422, f"crop: expected auto or x1,y1,x2,y2, got {text[:40]!r}") from None
    if not (1 <= x1 <= x2 and 1 <= y1 <= y2):
        raise HTTPException(422, f"crop: {text!r} is empty or starts before pixel 1")
    return x1, y1, x2, y2


def parse_years(
    retriever: Retriever, first: int | None, last: int | None
) -> tuple[int, int] | None:
    """Return the requested range of years; a missing end is taken from the gallery."""
    if first is None and last is None:
        return None
    if retriever.years is None:
        raise HTTPException(422, "year_from, year_to: the gallery photos have no years")
    lowest, highest = retriever.years
    first, last = lowest if first is None else first, highest if last is None else last
    if first > last:
        raise HTTPException(422, f"year_from, year_to: the range {first} to {last} is empty")
    return first, last
