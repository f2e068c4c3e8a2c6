"""Answer of a search by photo."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Match:
    """A photo of the gallery that was found.

    Attributes:
        row: its Index.
        path: below the folder of the gallery's photos.
        similarity: cosine of the angle between the descriptors.
        class_: the car model's number; None where photos have no classes.
        make: its name, or its number; None where the list has neither.
        model: its name; None where the list has none.
        year: None where it is not known.
    """

    row: int
    path: str
    similarity: float
    class_: int | None
    make: str | None
    model: str | None
    year: int | None


@dataclass(frozen=True)
class Answer:
    """What was found for a photo.

    Attributes:
        matches: best first.
        threshold: the similarity below which there is no match; None where none is known for these
            descriptors.
        known: whether the first match reaches it; None where that cannot be said.
    """

    matches: list[Match]
    threshold: float | None
    known: bool | None
