"""Fields of gallery photos and their frequent values, to choose conditions from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from car_retrieval.gallery.conditions import columns_of
from car_retrieval.gallery.photos import fields_of
from car_retrieval.gallery.record import STANDARD

UNIQUE = ("path", "id")  # fields of which each photo has another value
SEPARATORS = r",|\.\.|^\s|\s$"  # a condition cannot name values with these


@dataclass(frozen=True)
class FieldValues:
    """A field and its values.

    Attributes:
        name: name of the field in a condition.
        values: frequent values, the most frequent first.
        limits: lowest and highest value if all values are numbers, else None.
    """

    name: str
    values: list[str]
    limits: tuple[float, float] | None


def field_values(
    photos: pd.DataFrame, present: NDArray[np.bool_], most: int = 50
) -> list[FieldValues]:
    """List the fields that at least one photo has, with their values.

    Args:
        photos: table of the photos of a gallery.
        present: bool [n], the photos to take values from.
        most: maximum number of values of each field.
    """
    listed = []
    for name in (*STANDARD, *fields_of(photos.columns)):
        if name in UNIQUE:
            listed.append(FieldValues(name, [], None))
            continue
        columns = columns_of(photos, name)
        shown = columns[1] if name == "class" else columns[0]
        known = shown[present].dropna().astype("string")
        if len(known):
            numbers = pd.to_numeric(known, errors="coerce")
            limits = None if numbers.isna().any() else (float(numbers.min()), float(numbers.max()))
            counts = known.value_counts()
            if len(counts) > most:
                counts = counts[counts > 1]
            usable = counts.index[~counts.index.str.contains(SEPARATORS)]
            listed.append(FieldValues(name, usable[:most].tolist(), limits))
    return listed
