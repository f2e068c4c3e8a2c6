"""Parse a request's form as a query, or say in one line why not."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import File, Form, HTTPException, Request, UploadFile
from PIL.Image import DecompressionBombError

from car_retrieval.images.decode import FORMATS
from car_retrieval.serving.retriever import AUTO, Auto, Crop, Retriever, Where
from car_retrieval.serving.web.pictures import dimensions
from car_retrieval.serving.web.query_result import Options, Query
from car_retrieval.serving.web.service import Service
from car_retrieval.serving.web.short_lived_thread import apart

KNOWN = ", ".join(FORMATS)


@dataclass(frozen=True)
class Asked:
    """The photo of a request: a file of so many pixels, or a row of the gallery, or a part."""

    retriever: Retriever
    data: bytes | None
    row: int | None
    crop: Crop | Auto | None
    pixels: int

    def query(self, options: Options | None = None) -> Query:
        """Decode and prepare the photo; takes its time, so for a thread.

        Raises:
            HTTPException: it cannot be used.
        """
        if options is not None and options.where != Where():
            try:
                options.where.fits(self.retriever.photos)
            except ValueError as error:
                raise HTTPException(422, str(error)) from error
        if self.data is None and self.crop in (None, AUTO):  # described as it was cropped
            return Query(self.retriever, None, self.row, options)
        file = self._file()
        try:
            crop = apart(lambda: self.retriever.propose(file)) if self.crop == AUTO else self.crop
            image = self.retriever.prepare(file, crop)
        except ValueError as error:
            raise HTTPException(422, f"photo: {error}") from error
        return Query(self.retriever, image, self.row, options, crop)

    def _file(self) -> bytes:
        if self.row is None:
            assert self.data is not None
            check_photo(self.data, self.pixels)
            return self.data
        return gallery_file(self.retriever, self.row)


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    return request.app.state.service


async def asked(
    request: Request,
    photo: Annotated[UploadFile | None, File(description="JPEG, PNG, WebP and others.")] = None,
    row: Annotated[int | None, Form(description="A photo of the gallery instead.")] = None,
    version: Annotated[str | None, Form(description="The run that `row` is of.")] = None,
    crop: Annotated[
        str | None,
        Form(
            description="Only this part: x1,y1,x2,y2 in pixels from 1, inclusive; or auto: the car "
            "alone, where the gallery's photos are cropped."
        ),
    ] = None,
) -> Asked:
    """The photo that a form brings; a FastAPI dependency."""
    service = service_of(request)
    retriever = service.live.retriever
    data = None if photo is None else await photo.read()
    if (data is None) == (row is None):
        raise HTTPException(422, "send either a photo or a row")
    check_version(retriever, version)
    if row is not None:
        check_row(retriever, row)
    return Asked(retriever, data, row, parsed_crop(crop), service.limits.pixels)


def options(retriever: Retriever, limit: int, k: int, method: str | None, where: Where) -> Options:
    """How to search, checked.

    Raises:
        HTTPException: 422, there is no such method or number of matches.
    """
    method = method or retriever.methods[0]
    if not 1 <= k <= limit:
        raise HTTPException(422, f"k: from 1 to {limit} matches can be had, not {k}")
    if method not in retriever.methods:
        known = ", ".join(retriever.methods)
        raise HTTPException(422, f"method: there is no {method!r} here, but {known}")
    return Options(k, method, where)


def check_version(retriever: Retriever, version: str | None) -> None:
    """Refuse rows of a run that is served no more; None stands for the present one."""
    if version is not None and version != retriever.version:
        raise HTTPException(409, f"run {retriever.version} is being served now: search again")


def check_row(retriever: Retriever, row: int) -> None:
    """Refuse a row that the gallery has not."""
    if not 0 <= row < len(retriever.photos):
        raise HTTPException(404, f"the gallery has no row {row}, but {len(retriever.photos)} rows")


def gallery_file(retriever: Retriever, row: int) -> bytes:
    """The file of a gallery photo, or 404."""
    try:
        return retriever.image(row)
    except OSError as error:
        raise HTTPException(404, f"the file of row {row} is missing") from error


def check_photo(data: bytes, limit: int) -> None:
    """Refuse what is no picture, or too large a one, by its header."""
    most = f"{limit / 1e6:g} megapixels at most"
    try:
        size = dimensions(data)
    except DecompressionBombError as error:
        raise HTTPException(413, f"photo: too many pixels ({most})") from error
    if size is None:
        raise HTTPException(415, f"photo: it is not a picture in a known format ({KNOWN})")
    if size[0] * size[1] > limit:
        raise HTTPException(413, f"photo: {size[0]} x {size[1]} pixels are too many ({most})")


def parsed_crop(text: str | None) -> Crop | Auto | None:
    """`x1,y1,x2,y2` as numbers, or `auto`."""
    if not text:
        return None
    if text == AUTO:
        return AUTO
    try:
        x1, y1, x2, y2 = (int(part) for part in text.split(","))
    except ValueError:
        raise HTTPException(422, f"crop: expected auto or x1,y1,x2,y2, not {text[:40]!r}") from None
    if not (1 <= x1 <= x2 and 1 <= y1 <= y2):
        raise HTTPException(422, f"crop: {text!r} is empty or begins before pixel 1")
    return x1, y1, x2, y2


def years(retriever: Retriever, first: int | None, last: int | None) -> tuple[int, int] | None:
    """The years asked for, open at either end."""
    if first is None and last is None:
        return None
    if retriever.years is None:
        raise HTTPException(422, "year_from, year_to: the gallery knows no years")
    lowest, highest = retriever.years
    asked_for = (lowest if first is None else first, highest if last is None else last)
    if asked_for[0] > asked_for[1]:
        raise HTTPException(
            422, f"year_from, year_to: {asked_for[0]} to {asked_for[1]} holds no year"
        )
    return asked_for
