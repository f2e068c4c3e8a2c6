"""Response schemas of the service, published in its OpenAPI description."""

from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, Field

from car_retrieval.serving.class_votes import class_votes
from car_retrieval.serving.retriever import Crop, Match, Retriever, SearchResult


class Photo(BaseModel):
    """A gallery photo and what is known about it."""

    id: str = Field(description="Id of the photo in every run; search from it or get its image.")
    class_: int | None = Field(
        serialization_alias="class", description="Null if the photos have no classes."
    )
    make: str | None
    model: str | None
    year: int | None
    fields: dict[str, str | int | float | bool] = Field(description="Further values by name.")
    path: str = Field(description="Path relative to the folder of the gallery photos.")
    image: str = Field(description="URL of the photo.")


class SearchMatch(Photo):
    """A gallery photo found by a search."""

    similarity: float = Field(description="Cosine similarity of the two descriptors.")


class SearchGroup(BaseModel):
    """A class among the matches."""

    class_: int = Field(serialization_alias="class")
    make: str | None
    model: str | None
    years: tuple[int, int] | None = Field(description="First and last year of these matches.")
    matches: int = Field(description="Number of matches of this class.")
    similarity: float = Field(description="Mean similarity of these matches.")
    share: float = Field(
        description="Their share of the sum of the similarities of all matches, negative ones as 0."
    )


class SearchResponse(BaseModel):
    """Matches of a photo, most similar first."""

    version: str = Field(description="Version of the run.")
    known: bool | None = Field(
        description="Whether the best match reaches the threshold; null if there is no threshold "
        "for this search, several photos are combined, or there is no match."
    )
    threshold: float | None
    crop: Crop | None = Field(
        description="Part of the photo that was searched with; null for the whole photo."
    )
    untrained: str | None = Field(
        description="Note for the user if the network was not trained on these photos."
    )
    groups: list[SearchGroup] = Field(
        description="Classes of the matches, the largest share first; empty without classes."
    )
    matches: list[SearchMatch]


class GalleryPhoto(Photo):
    """A gallery photo after a request."""

    status: Literal["added", "updated", "unchanged"] | None = Field(
        description="What the request did; null if it changed nothing."
    )


class GalleryResponse(BaseModel):
    """The gallery, and the values of its filters."""

    version: str
    photos: int
    examples: list[str] = Field(description="Ids of some photos, spread over the gallery.")
    makes: list[str]
    years: tuple[int, int] | None
    methods: list[str]
    largest_k: int
    fields: list[str] = Field(description="Further fields, which conditions can use.")
    writable: bool = Field(description="Whether photos can be added and removed.")
    untrained: str | None


class GalleryField(BaseModel):
    """A field that conditions can use."""

    name: str
    values: list[str] = Field(description="Frequent values, the most frequent first.")
    limits: tuple[float, float] | None = Field(
        description="Lowest and highest value if all are numbers."
    )


class ErrorResponse(BaseModel):
    """Reason why a request failed, on one line."""

    detail: str


def search_response(
    retriever: Retriever, result: SearchResult, crop: Crop | None, root_path: str
) -> SearchResponse:
    """Convert a search result to a response.

    Args:
        retriever: retriever of the searched run.
        result: result of the search.
        crop: part of the photo that was searched with.
        root_path: path before the addresses of pictures.
    """
    return SearchResponse(
        version=retriever.version,
        known=result.above_threshold,
        threshold=result.threshold,
        crop=crop,
        untrained=retriever.untrained,
        groups=[SearchGroup(**asdict(vote)) for vote in class_votes(result.matches)],
        matches=[_search_match(match, root_path) for match in result.matches],
    )


def gallery_photo(
    retriever: Retriever,
    photo: str,
    root_path: str,
    status: Literal["added", "updated", "unchanged"] | None = None,
) -> GalleryPhoto:
    """Return a gallery photo as a response.

    Args:
        retriever: retriever of the current run.
        photo: id of the photo.
        root_path: path before the address of its picture.
        status: what a request has done to the photo.

    Raises:
        KeyError: no gallery photo has this id.
    """
    return GalleryPhoto(status=status, **_values(retriever.match(photo), root_path))


def _search_match(match: Match, root_path: str) -> SearchMatch:
    return SearchMatch(similarity=match.similarity, **_values(match, root_path))


def _values(match: Match, root_path: str) -> dict[str, Any]:
    """Return the values of `Photo`."""
    values = {name: getattr(match, name) for name in Photo.model_fields if name != "image"}
    return values | {"image": f"{root_path}/images/{match.id}"}
