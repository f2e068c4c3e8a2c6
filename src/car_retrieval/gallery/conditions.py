"""Conditions on the values of gallery photos: `colour=red,blue`, `year=2010..2014`."""

import re
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from car_retrieval.data.attributes import class_names, makes_of, models_of, years_of
from car_retrieval.gallery.photos import fields_of, text_of
from car_retrieval.gallery.record import STANDARD, photo_id

FORM = re.compile(r"\s*([^=!]+?)\s*(!?=)\s*(.*?)\s*", re.S)
RANGE = re.compile(r"(.*?)\.\.(.*)", re.S)


@dataclass(frozen=True)
class Condition:
    """Condition on one field.

    Attributes:
        field: `class`, `make`, `model`, `year`, `path`, `id`, or a further field.
        values: accepted values, case-insensitive; empty for a range.
        low: lowest number of a range; None: no limit.
        high: highest number of a range; None: no limit.
        negated: whether the condition accepts all other photos instead.
    """

    field: str
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    negated: bool = False

    def mask(self, photos: pd.DataFrame) -> NDArray[np.bool_]:
        """Select the photos that meet the condition, as bool [n]; a missing value meets none.

        Raises:
            ValueError: no photo has this field.
        """
        columns = [column.astype("string") for column in columns_of(photos, self.field)]
        known = np.any([column.notna() for column in columns], axis=0)
        if self.values:
            wanted = {value.casefold() for value in self.values}
            met = [column.str.casefold().isin(wanted) for column in columns]
        else:
            numbers = [pd.to_numeric(column, errors="coerce") for column in columns]
            low = -np.inf if self.low is None else self.low
            high = np.inf if self.high is None else self.high
            met = [column.between(low, high) for column in numbers]
        found = np.any([np.asarray(one.fillna(False), bool) for one in met], axis=0)
        mask: NDArray[np.bool_] = known & (~found if self.negated else found)
        return mask


def parse_condition(text: str) -> Condition:
    """Parse `field=value`, `field=value,value`, `field=low..high` or `field!=…`.

    Raises:
        ValueError: the text has another form.
    """
    parsed = FORM.fullmatch(text)
    if not parsed or not parsed[3].strip(", "):
        raise ValueError(
            f"'{text}' is no condition: write field=value, field=value,value or field=low..high"
        )
    field, negated, value = parsed[1], parsed[2] == "!=", parsed[3]
    if limits := RANGE.fullmatch(value):
        try:
            low, high = (float(limit) if limit.strip() else None for limit in limits.groups())
        except ValueError:
            raise ValueError(f"'{text}': the limits of a range are numbers") from None
        return Condition(field, (), low, high, negated)
    values = tuple(part.strip() for part in value.split(",") if part.strip())
    return Condition(field, values, None, None, negated)


def columns_of(photos: pd.DataFrame, field: str) -> list[pd.Series]:
    """Return the columns that a field is compared with: a class has a number and a name.

    Raises:
        ValueError: no photo has this field.
    """
    key = field.casefold()
    if key == "class":
        named = photos[photos["Class"].notna()]
        names = class_names(named) if len(named) else pd.Series(dtype=str)
        shown = photos["Class"].map(names)
        slashed = makes_of(photos) + "/" + models_of(photos)
        return [photos["Class"].astype("Int64"), shown, slashed, models_of(photos)]
    if key in ("make", "model", "year"):
        return [{"make": makes_of, "model": models_of, "year": years_of}[key](photos)]
    if key == "path":
        return [photos["Path"]]
    if key == "id":
        return [photos["Path"].map(photo_id)]
    fields = fields_of(photos.columns)
    own = [name for name in fields if name.casefold() == key]
    if not own:
        known = [*STANDARD, *fields]
        similar = get_close_matches(key, [name.casefold() for name in known], n=1)
        hint = f"; did you mean {similar[0]}?" if similar else f": choose {', '.join(known)}"
        raise ValueError(f"no gallery photo has the field '{field}'{hint}")
    return [photos[name].map(text_of) for name in own]
