"""Check of labels, before they are stored."""

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import replace

from car_retrieval.gallery.photos import OURS
from car_retrieval.gallery.record import STANDARD, Labels, Value

YEARS = range(10_000)


def checked(labels: Labels) -> Labels:
    """Return labels without spaces around texts, in one Unicode form (NFC), and without empty ones.

    Raises:
        ValueError: a year, or a name or a value of a further field, cannot be stored.
    """
    if labels.year is not None and labels.year not in YEARS:
        raise ValueError(f"year {labels.year} is not between {YEARS[0]} and {YEARS[-1]}")
    class_ = _text(labels.class_ and labels.class_.strip("/ "))
    fields = _fields(labels.fields)
    make, model = _text(labels.make), _text(labels.model)
    return replace(labels, class_=class_, make=make, model=model, fields=fields)


def _fields(fields: Mapping[str, Value]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for given, value in fields.items():
        name = _text(given)
        if name is None:
            raise ValueError("a further field has no name")
        if name in OURS or name.lower() in STANDARD:
            raise ValueError(f"the field name {name} is reserved: choose another")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"field {name}: {value} is not a finite number")
        kept = _text(value) if isinstance(value, str) else value
        if kept is not None:
            found[name] = kept
    return found


def _text(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("a label is not valid UTF-8") from None
    return unicodedata.normalize("NFC", value).strip() or None
