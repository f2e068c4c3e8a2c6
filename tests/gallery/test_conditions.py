"""Conditions as text."""

import pandas as pd
import pytest

from car_retrieval.gallery.conditions import parse_condition


@pytest.mark.parametrize("text", ["colour", "=red", "colour=", "colour= , ,", "colour!=,", ""])
def test_a_text_without_field_or_value_is_no_condition(text: str) -> None:
    with pytest.raises(ValueError, match="is no condition"):
        parse_condition(text)


def test_fields_that_differ_in_case_are_one() -> None:
    photos = pd.DataFrame({"Path": ["a", "b"], "colour": ["red", None], "Colour": [None, "red"]})
    assert parse_condition("COLOUR=red").mask(photos).tolist() == [True, True]
    assert parse_condition("colour!=blue").mask(photos).tolist() == [True, True]
