"""Fields and values to choose conditions from."""

import numpy as np
import pandas as pd

from car_retrieval.gallery.conditions import parse_condition
from car_retrieval.gallery.field_values import FieldValues, field_values

PHOTOS = pd.DataFrame(
    {
        "Path": [f"{number}.jpg" for number in range(5)],
        "Class": pd.array([0, 0, 1, None, 1], "Int64"),
        "MakeName": ["Audi", "Audi", "Skoda", None, "Skoda"],
        "ModelName": ["Audi A4", "Audi A4", "Octavia", None, "Octavia"],
        "Year": pd.array([2010, 2012, 2012, None, 1990], "Int64"),
        "city": ["Oslo", "Bergen", "Bergen", "Paris, Texas", "Rome"],
        "doors": [3, 5, None, 5, 4],
        "empty": [None] * 5,
    }
)
PRESENT = np.array([True, True, True, True, False])


def values() -> dict[str, FieldValues]:
    return {field.name: field for field in field_values(PHOTOS, PRESENT)}


def test_fields_have_their_values_the_most_frequent_first() -> None:
    fields = values()
    assert list(fields) == ["class", "make", "model", "year", "path", "id", "city", "doors"]
    assert fields["class"].values == ["Audi A4", "Skoda Octavia"]
    assert fields["year"] == FieldValues("year", ["2012", "2010"], (2010, 2012))
    assert fields["city"] == FieldValues("city", ["Bergen", "Oslo"], None)
    assert fields["doors"] == FieldValues("doors", ["5", "3"], (3, 5))
    assert fields["path"] == FieldValues("path", [], None)


def test_only_so_many_values() -> None:
    fields = {field.name: field for field in field_values(PHOTOS, PRESENT, most=1)}
    assert fields["class"].values == ["Audi A4"]
    assert all(len(field.values) <= 1 for field in fields.values())


def test_every_value_can_be_searched_for() -> None:
    for field in values().values():
        for value in field.values:
            assert parse_condition(f"{field.name}={value}").mask(PHOTOS)[PRESENT].any()


def test_photos_without_labels_have_no_such_fields() -> None:
    bare = pd.DataFrame({"Path": ["a.jpg"], "Class": pd.array([None], "Int64")})
    assert [field.name for field in field_values(bare, np.ones(1, bool))] == ["path", "id"]


def test_many_unique_values_are_not_frequent() -> None:
    photos = PHOTOS.assign(price=range(5))
    [*_, price] = field_values(photos, np.ones(5, bool), most=3)
    assert price == FieldValues("price", [], (0, 4))
