"""Classes by name and number."""

import pandas as pd
import pytest

from car_retrieval.gallery.photos import Classes


def classes(names: bool = True) -> Classes:
    photos = pd.DataFrame(
        {
            "Path": ["0.jpg", "1.jpg", "2.jpg", "3.jpg"],
            "Class": [0, 1, 2, 3],
            "MakeName": ["Mazda", "Audi", "BMW", "Skoda"] if names else None,
            "ModelName": ["3", "Sport", "Sport", "Octavia"] if names else None,
        }
    )
    return Classes(photos)


def test_a_number_is_that_of_a_class_not_the_name_of_a_model() -> None:
    known = classes()
    assert known.number("3") == 3
    assert known.number("Mazda/3") == known.number("mazda 3") == 0
    assert known.number("octavia") == 3


def test_a_new_class_has_a_number_too() -> None:
    known = classes()
    assert known.number("BMW/X5") == 4
    assert known.number("4") == 4
    assert known.names(4) == ("BMW", "X5")


def test_a_number_of_more_than_64_bits_is_no_number_of_a_class() -> None:
    assert classes(names=False).number("17") == 17
    assert classes(names=False).number("9" * 20) == 4


def test_a_name_of_several_classes_is_refused() -> None:
    known = classes()
    with pytest.raises(ValueError, match=r"may be Audi Sport \(number 1\) and BMW Sport"):
        known.check("sport")
    for name in ("BMW/Sport", "Audi Sport", "3", "new"):
        known.check(name)
