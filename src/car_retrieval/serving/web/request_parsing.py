"""Parse and validate requests; an invalid one is refused with a one-line reason."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

from fastapi import File, Form, HTTPException, Request, UploadFile
from PIL.Image import DecompressionBombError

from car_retrieval.gallery.conditions import Condition, parse_condition
from car_retrieval.images.decode import UnreadableImageError
from car_retrieval.search.rocchio import GAMMA
from car_retrieval.serving.photo_packer import AUTO, Auto
from car_retrieval.serving.retriever import Crop, Filters, Retriever
from car_retrieval.serving.web.pictures import dimensions
from car_retrieval.serving.web.query_result import Example, Query, SearchOptions
from car_retrieval.serving.web.service import Service
from car_retrieval.serving.web.short_lived_thread import run_in_short_lived_thread

MAX_PHOTOS = 10  # of a request


class Source(NamedTuple):
    """A photo of a request: the contents of an uploaded file, or a gallery photo."""

    data: bytes | None
    id: str | None


@dataclass(frozen=True)
class SearchRequest:
    """The query photos of a request, and the part of the first one to use.

    Attributes:
        retriever: retriever of the run that was current when the request arrived.
        photos: photos of what is sought, at least one.
        unlike: photos that the matches should not look like.
        crop: part of a single photo, or `auto`, which is found in each; None: all of it.
        gamma: weight of `unlike`.
        max_pixels: maximum size of an uploaded photo in pixels.
    """

    retriever: Retriever
    photos: list[Source]
    unlike: list[Source]
    crop: Crop | Auto | None
    gamma: float
    max_pixels: int

    def query(self, options: SearchOptions | None = None) -> Query:
        """Decode and pack the photos; slow, so call it in a worker thread.

        Raises:
            HTTPException: a photo, the crop or the filters are invalid.
        """
        if options is not None and options.filters != Filters():
            try:
                options.filters.mask(self.retriever.gallery.snapshot().photos)
            except ValueError as error:
                raise HTTPException(422, str(error)) from error
        (first, crop), *also = (self._example(source, "photo") for source in self.photos)
        return Query(
            self.retriever,
            first.image,
            first.id,
            options,
            crop,
            [example for example, _ in also],
            [self._example(source, "unlike")[0] for source in self.unlike],
            self.gamma,
        )

    def _example(self, source: Source, field: str) -> tuple[Example, Crop | None]:
        """Return a photo and the part of it that its image shows."""
        if source.data is None and self.crop in (None, AUTO):  # use the stored descriptor
            return Example(None, source.id), None
        file = self._file(source, field)
        try:
            crop = (
                run_in_short_lived_thread(lambda: self.retriever.propose(file))
                if self.crop == AUTO
                else self.crop
            )
            return Example(self.retriever.prepare(file, crop), source.id), crop
        except ValueError as error:
            raise HTTPException(422, f"{field}: {error}") from error

    def _file(self, source: Source, field: str) -> bytes:
        if source.data is None:
            assert source.id is not None
            return read_gallery_file(self.retriever, source.id)
        check_photo(source.data, self.max_pixels, field)
        return source.data


def service_of(request: Request) -> Service:
    """Return the service that handles a request."""
    return request.app.state.service


def root_path_of(request: Request) -> str:
    """Return the path below which the service is reached, without a slash at its end."""
    return request.scope.get("root_path", "")


async def parse_search_request(
    request: Request,
    photo: Annotated[
        list[UploadFile] | None,
        File(description="JPEG, HEIC, PNG and others; of several, the mean is searched for."),
    ] = None,
    id: Annotated[
        list[str] | None, Form(description="Gallery photos to use instead, or as well.")
    ] = None,
    unlike: Annotated[
        list[UploadFile] | None, File(description="Photos that matches should not look like.")
    ] = None,
    unlike_id: Annotated[
        list[str] | None, Form(description="Gallery photos that matches should not look like.")
    ] = None,
    gamma: Annotated[
        float,
        Form(ge=0, le=1, description="Weight of the photos that matches should not look like."),
    ] = GAMMA,
    crop: Annotated[
        str | None,
        Form(
            description="Part of a single photo: x1,y1,x2,y2 in 1-based pixels, inclusive; or "
            "auto: the car in each photo, if the gallery photos are cropped."
        ),
    ] = None,
) -> SearchRequest:
    """Read the query photos from a form; used as a FastAPI dependency."""
    service = service_of(request)
    retriever = service.reloader.retriever
    photos = [Source(await file.read(), None) for file in photo or []]
    photos += [Source(None, one) for one in id or []]
    others = [Source(await file.read(), None) for file in unlike or []]
    others += [Source(None, one) for one in unlike_id or []]
    count, part = len(photos) + len(others), parse_crop(crop)
    if not photos:
        raise HTTPException(422, "send a photo or an id")
    if count > MAX_PHOTOS:
        raise HTTPException(422, f"send at most {MAX_PHOTOS} photos and ids, got {count}")
    if count > 1 and isinstance(part, tuple):
        raise HTTPException(422, "crop: x1,y1,x2,y2 needs a single photo; send auto")
    for source in (*photos, *others):
        if source.id is not None:
            check_id(retriever, source.id)
    return SearchRequest(retriever, photos, others, part, gamma, service.limits.pixels)


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


def check_id(retriever: Retriever, photo: str) -> None:
    """Refuse an id that is not in the gallery."""
    if retriever.gallery.row_of(photo) is None:
        raise HTTPException(404, f"no gallery photo has the id {photo[:40]!r}")


def read_gallery_file(retriever: Retriever, photo: str) -> bytes:
    """Read the file of a gallery photo; a missing file is answered with 404."""
    try:
        return retriever.image(photo)
    except (OSError, KeyError) as error:
        raise HTTPException(404, f"the file of the photo {photo} is missing") from error


def check_photo(data: bytes, max_pixels: int, field: str = "photo") -> None:
    """Refuse a file that is not a picture or has too many pixels, according to its header."""
    limit = f"the limit of {max_pixels / 1e6:g} megapixels"
    try:
        size = dimensions(data)
    except DecompressionBombError as error:
        raise HTTPException(413, f"{field}: too many pixels, above {limit}") from error
    except UnreadableImageError as error:
        raise HTTPException(415, f"{field}: {error}") from error
    if size[0] * size[1] > max_pixels:
        raise HTTPException(413, f"{field}: {size[0]} x {size[1]} pixels exceed {limit}")


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


def parse_where(texts: list[str] | None) -> tuple[Condition, ...]:
    """Parse the conditions of a search."""
    try:
        return tuple(parse_condition(text) for text in texts or () if text)
    except ValueError as error:
        raise HTTPException(422, f"where: {error}") from error


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
