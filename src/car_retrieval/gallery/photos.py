"""Records of the gallery as rows of a table of photos, and back."""

from typing import Any

import numpy as np
import pandas as pd

from car_retrieval.data.attributes import class_names
from car_retrieval.data.compcars import BOX
from car_retrieval.gallery.record import GalleryRecord, Labels

OURS = {
    *("Path", "Index", "Class", "MakeName", "ModelName", "Year", "Hash", "DHash", *BOX),
    *("Width", "Height", "FileName", "View Point", "CarMake", "List", "Problem"),
}
"""Columns of a table of photos that are no further fields."""


DIGITS = 18  # of the number of a class, which takes 64 bits


class Classes:
    """Classes of a table of photos by name; an unknown name becomes a new class.

    A name is the number of the class, else its model, or make and model separated by a slash or a
    space; case, spaces and slashes do not matter.

    Args:
        photos: table of the photos of a run.
    """

    def __init__(self, photos: pd.DataFrame) -> None:
        first = photos[photos["Class"].notna()].drop_duplicates("Class")
        self._shown = class_names(first) if len(first) else pd.Series(dtype=str)
        self._names: dict[int, tuple[str | None, str | None]] = {}
        self._same: dict[str, set[int]] = {}  # classes by a name that several may have
        for _, photo in first.iterrows():
            number = int(photo["Class"])
            make, model = (text_of(photo.get(name)) for name in ("MakeName", "ModelName"))
            self._names[number] = make, model
            names = {self._shown[number], model, f"{make}/{model}" if make else None}
            for name in names - {None}:
                self._same.setdefault(_key(str(name)), set()).add(number)
        self._numbers = {str(number): number for number in self._names}
        self._named = any(model is not None for _, model in self._names.values())

    def number(self, name: str) -> int:
        """Return the number of a class; a new class gets the next one, or its own number."""
        key = _key(name)
        same = self._same.get(key, set())
        if key not in self._numbers and len(same) == 1:
            self._numbers[key] = min(same)
        if key not in self._numbers:
            following = max(self._names, default=-1) + 1
            is_number = key.isascii() and key.isdecimal()
            own = is_number and len(key) <= DIGITS and not self._named
            number = int(key) if own else following
            make, slash, model = name.strip().partition("/")
            self._names[number] = (make, model) if slash else (None, None if is_number else make)
            self._numbers[key] = number
            self._numbers.setdefault(str(number), number)
        return self._numbers[key]

    def check(self, name: str) -> None:
        """Raise ValueError if several classes of the run have a name, and none has it as number."""
        same = sorted(self._same.get(_key(name), ()))
        if len(same) > 1 and _key(name) not in self._numbers:
            classes = " and ".join(f"{self._shown[number]} (number {number})" for number in same)
            raise ValueError(f"the class '{name}' may be {classes}: give make and model, or number")

    def names(self, number: int) -> tuple[str | None, str | None]:
        """Return make and model of a class; None: unknown."""
        return self._names[number]


def photo_row(record: GalleryRecord, classes: Classes) -> dict[str, Any]:
    """Return a record as a row of a table of photos, without Index."""
    labels = record.labels
    number = None if labels.class_ is None else classes.number(labels.class_)
    make, model = (None, None) if number is None else classes.names(number)
    row = {
        "Path": record.path,
        "Class": number,
        "MakeName": labels.make or make,
        "ModelName": labels.model or model,
        "Year": labels.year,
        "Hash": record.hash,
    }
    row |= dict(zip(BOX, labels.box or (None,) * 4, strict=True))
    return row | {name: value for name, value in labels.fields.items() if name not in OURS}


def record_of(photo: pd.Series) -> GalleryRecord:
    """Return a row of a table of photos as a record."""
    values = {str(name): value for name, value in photo.items() if not pd.isna(value)}
    box = [int(values[side]) for side in BOX if side in values]
    labels = Labels(
        str(int(values["Class"])) if "Class" in values else None,
        values.get("MakeName"),
        values.get("ModelName"),
        int(values["Year"]) if "Year" in values else None,
        (box[0], box[1], box[2], box[3]) if len(box) == len(BOX) else None,
        {name: values[name] for name in fields_of(photo.index) if name in values},
    )
    return GalleryRecord(values["Path"], values["Hash"], labels)


def fields_of(columns: pd.Index) -> list[str]:
    """Return the columns of a table of photos that are further fields."""
    return [str(name) for name in columns if name not in OURS]


def is_listed_as(record: GalleryRecord, photo: pd.Series, classes: Classes) -> bool:
    """Return whether a row of a table of photos has the file and the labels of a record."""
    wanted = photo_row(record, classes)
    return all(_is_same(photo.get(name), value) for name, value in wanted.items())


def _is_same(listed: object, value: object) -> bool:
    """Compare values; the list of a run reads 007 as a number, and true as True."""
    one, other = text_of(listed), text_of(value)
    if one is None or other is None or isinstance(listed, str):
        return one == other
    if isinstance(listed, bool | np.bool_):
        return one.casefold() == other.casefold()
    try:
        return float(one) == float(other)
    except ValueError:
        return one == other


def as_type(values: pd.Series, kind: Any) -> pd.Series:
    """Convert values to the type of a column, integers to Int64; unchanged if one does not fit."""
    try:
        if kind.kind in "iuf":
            numbers = pd.to_numeric(values)
            return numbers.astype("Int64" if kind.kind in "iu" else kind)
        if kind.kind == "b" and not values.map(lambda value: isinstance(value, bool)).all():
            return values
        return values.astype(kind)
    except (ValueError, TypeError, OverflowError):
        return values


def text_of(value: object) -> str | None:
    """Return a value for comparison: missing ones are None, 2012.0 is 2012."""
    if value is None or pd.isna(value):  # type: ignore[call-overload]  # a scalar
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def _key(name: str) -> str:
    return "".join(name.casefold().replace("/", " ").split())
