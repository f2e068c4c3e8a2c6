"""Labels before they are stored."""

import pytest

from car_retrieval.gallery.checked_labels import checked
from car_retrieval.gallery.record import Labels


def test_texts_are_normalised() -> None:
    labels = checked(
        Labels(" Citroe\u0308n/C4 ", "", " ", fields={" colour ": " red", "size": " "})
    )
    assert labels == Labels("Citroën/C4", fields={"colour": "red"})
    assert checked(Labels("Audi/")).class_ == "Audi"
    assert checked(Labels("/")).class_ is None


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (Labels(year=99_999_999_999_999_999_999), "is not between 0 and 9999"),
        (Labels(year=-5), "is not between"),
        (Labels(fields={"Class": "red"}), "the field name Class is reserved"),
        (Labels(fields={"Year": "2012"}), "reserved"),
        (Labels(fields={" ": "red"}), "has no name"),
        (Labels(fields={"price": float("inf")}), "not a finite number"),
        (Labels(make="\ud800"), "not valid UTF-8"),
    ],
)
def test_what_no_table_can_hold_is_refused(labels: Labels, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        checked(labels)
