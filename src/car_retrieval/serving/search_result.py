"""Result of a search by photo."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from car_retrieval.gallery.photos import record_of
from car_retrieval.gallery.record import Value


@dataclass(frozen=True)
class Match:
    """A gallery photo found by a search.

    Attributes:
        id: id of the photo, which stays the same in every run.
        path: path relative to the folder of the gallery photos.
        similarity: cosine similarity of the two descriptors.
        class_: number of the car model; None if the photos have no classes.
        make: name of the make, or its number; None if the gallery lists neither.
        model: name of the model; None if the gallery does not list it.
        year: model year; None if unknown.
        fields: further values by name.
    """

    id: str
    path: str
    similarity: float
    class_: int | None
    make: str | None
    model: str | None
    year: int | None
    fields: Mapping[str, Value] = field(default_factory=dict)


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


def match_of(photo_id: str, photo: pd.Series, similarity: float) -> Match:
    """Return a row of a table of photos as a match."""
    labels = record_of(photo).labels
    number = photo.get("CarMake")
    make = labels.make or (None if pd.isna(number) else str(number))
    class_ = None if labels.class_ is None else int(labels.class_)
    path, model, year = photo["Path"], labels.model, labels.year
    return Match(photo_id, path, similarity, class_, make, model, year, labels.fields)
