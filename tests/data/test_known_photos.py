"""Photos that a network knows, by keys of their content."""

import pandas as pd

from car_retrieval.data.known_photos import KnownPhotos

SPLIT = pd.DataFrame(
    {"Hash": ["a", "b", "c", "a"], "split": ["train", "valid", "excluded", "excluded"]}
)


def test_roles_are_those_of_the_training() -> None:
    known = KnownPhotos.of(SPLIT)
    asked = pd.Series(["c", "x", "a", "b"], index=[7, 5, 3, 1])
    assert known.roles(asked).to_dict() == {7: "other", 5: "new", 3: "train", 1: "other"}
    assert known.roles(asked[:0]).empty


def test_nothing_trained_an_untrained_network() -> None:
    known = KnownPhotos.of(SPLIT, trained=False)
    assert set(known.roles(SPLIT["Hash"])) == {"other"}


def test_the_photos_of_compcars_take_half_a_megabyte() -> None:
    count = 67_732
    many = pd.DataFrame({"Hash": [str(row) for row in range(count)], "split": "train"})
    assert KnownPhotos.of(many).train.nbytes == 8 * count
