"""Response schemas of the service, shown in its OpenAPI description."""

from pydantic import BaseModel, Field

from car_retrieval.serving.retriever import Answer, Crop, Match, Retriever


class Car(BaseModel):
    """A gallery photo that was found."""

    row: int = Field(description="Of the gallery, to search from or to show.")
    similarity: float = Field(description="Cosine of the angle between the descriptors.")
    class_: int | None = Field(
        serialization_alias="class", description="Null where photos have no classes."
    )
    make: str | None
    model: str | None
    year: int | None
    path: str = Field(description="Below the root of the gallery's photos.")
    image: str = Field(description="Where the photo is.")


class Cars(BaseModel):
    """What was found, best first."""

    version: str = Field(description="Of the run that answered; rows are of its gallery.")
    known: bool | None = Field(
        description="Whether the best match reaches the threshold; null where none was calibrated "
        "for such a search."
    )
    threshold: float | None
    crop: Crop | None = Field(
        description="The part of the photo that was searched with; null for all of it."
    )
    untrained: str | None = Field(
        description="A line for readers where the network was not trained on these photos."
    )
    matches: list[Car]


class Gallery(BaseModel):
    """What can be asked."""

    version: str
    photos: int
    makes: list[str]
    years: tuple[int, int] | None
    methods: list[str]
    largest_k: int
    untrained: str | None


class Refusal(BaseModel):
    """Why a request was not served, in one line."""

    detail: str


def cars(retriever: Retriever, answer: Answer, crop: Crop | None) -> Cars:
    """An answer of a retriever for a client."""
    return Cars(
        version=retriever.version,
        known=answer.known,
        threshold=answer.threshold,
        crop=crop,
        untrained=retriever.untrained,
        matches=[_car(match, retriever.version) for match in answer.matches],
    )


def _car(match: Match, version: str) -> Car:
    return Car(
        row=match.row,
        similarity=match.similarity,
        class_=match.class_,
        make=match.make,
        model=match.model,
        year=match.year,
        path=match.path,
        image=f"/images/{match.row}?version={version}",
    )
