"""Changes in the list of the next run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from car_retrieval.gallery.listing import with_changes
from car_retrieval.gallery.record import GalleryRecord, Labels
from car_retrieval.gallery.store import GalleryStore


@pytest.fixture
def store(tmp_path: Path) -> GalleryStore:
    return GalleryStore(tmp_path / "gallery.sqlite")


def put(store: GalleryStore, path: str, labels: Labels) -> None:
    store.put([GalleryRecord(path, "f" * 32, labels)], np.zeros((1, 2), np.float32), "e")


def listing() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Path": ["a.jpg", "b.jpg", "c.jpg"],
            "Class": np.array([0, 1, 1], np.int64),
            "ModelName": ["A4", "A6", "A6"],
            "Year": pd.array([2001, None, 2003], "Int64"),
            "Problem": ["", "", ""],
        }
    )


def test_without_changes_the_list_is_the_same(store: GalleryStore) -> None:
    pd.testing.assert_frame_equal(with_changes(listing(), store.changes()), listing())


def test_added_corrected_and_removed_photos(store: GalleryStore) -> None:
    put(store, "new.jpg", Labels("A8", year=2020, box=(1, 2, 30, 40), fields={"colour": "red"}))
    put(store, "b.jpg", Labels("a4"))
    put(store, "loose.jpg", Labels())
    store.remove([GalleryRecord("a.jpg", "")])
    listed = with_changes(listing(), store.changes())
    assert listed["Path"].tolist() == ["c.jpg", "new.jpg", "b.jpg"]
    assert listed["Class"].tolist() == [1, 2, 0]
    assert listed["ModelName"].tolist() == ["A6", "A8", "A4"]
    assert listed["Year"].tolist() == [2003, 2020, pd.NA]
    assert listed["Problem"].tolist() == [""] * 3
    assert listed["colour"].tolist()[1] == "red"
    assert listed[["x1", "y1", "x2", "y2"]].iloc[1].tolist() == [1, 2, 30, 40]
    assert listed["Class"].dtype == np.int64


def test_without_classes_all_added_photos_are_listed(store: GalleryStore) -> None:
    put(store, "new.jpg", Labels())
    put(store, "named.jpg", Labels("A4"))
    unlabelled = listing()[["Path"]].assign(Class=pd.array([pd.NA] * 3, "Int64"))
    listed = with_changes(unlabelled, store.changes())
    assert listed["Path"].tolist()[3:] == ["new.jpg", "named.jpg"]
    assert listed["Class"].isna().all()


def test_all_photos_may_be_removed(store: GalleryStore) -> None:
    store.remove([GalleryRecord(path, "") for path in listing()["Path"]])
    assert with_changes(listing(), store.changes()).empty


def test_columns_that_no_photo_has_are_not_listed(store: GalleryStore) -> None:
    put(store, "new.jpg", Labels("A4", fields={"colour": "red"}))
    undated = listing().drop(columns="Year")
    listed = with_changes(undated, store.changes())
    assert list(listed) == [*undated, "colour"], "no year, and no box"


def test_values_of_another_type_than_the_column_are_kept(store: GalleryStore) -> None:
    put(store, "new.jpg", Labels("A4", fields={"doors": "five", "sold": "no", "price": 2.5}))
    typed = listing().assign(doors=[3, 4, 5], sold=[True, False, True], price=[1, 2, 3])
    listed = with_changes(typed, store.changes())
    assert listed["doors"].tolist() == [3, 4, 5, "five"]
    assert listed["sold"].tolist() == [True, False, True, "no"]
    assert listed["price"].tolist() == [1, 2, 3, 2.5]
