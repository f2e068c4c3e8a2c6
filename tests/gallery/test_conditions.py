"""Conditions as text."""

import pytest

from car_retrieval.gallery.conditions import parse_condition


@pytest.mark.parametrize("text", ["colour", "=red", "colour=", "colour= , ,", "colour!=,", ""])
def test_a_text_without_field_or_value_is_no_condition(text: str) -> None:
    with pytest.raises(ValueError, match="is no condition"):
        parse_condition(text)
