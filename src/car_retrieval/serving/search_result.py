"""Result of a search by photo."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Match:
    """A gallery photo found by a search.

    Attributes:
        row: the photo's Index in the gallery.
        path: path relative to the folder of the gallery photos.
        similarity: cosine similarity of the two descriptors.
        class_: number of the car model; None if the photos have no classes.
        make: name of the make, or its number; None if the gallery lists neither.
        model: name of the model; None if the gallery does not list it.
        year: model year; None if unknown.
    """

    row: int
    path: str
    similarity: float
    class_: int | None
    make: str | None
    model: str | None
    year: int | None


@dataclass(frozen=True)
class SearchResult:
    """Matches of one query photo.

    Attributes:
        matches: gallery photos, most similar first.
        threshold: similarity from which a photo counts as a match; None if no threshold was
            measured for these descriptors.
        above_threshold: whether the best match reaches the threshold; None if there is no
            threshold or no match.
    """

    matches: list[Match]
    threshold: float | None
    above_threshold: bool | None

    def without_threshold(self) -> "SearchResult":
        """Return the result of a query for which the threshold does not hold."""
        return replace(self, threshold=None, above_threshold=None)
