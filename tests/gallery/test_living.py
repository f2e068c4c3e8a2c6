"""LivingGallery against a gallery made anew of the same photos."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from car_retrieval.gallery import approximate
from car_retrieval.gallery.approximate import GalleryIndex
from car_retrieval.gallery.listing import with_changes
from car_retrieval.gallery.living import LivingGallery
from car_retrieval.gallery.photos import record_of
from car_retrieval.gallery.record import GalleryRecord, Labels, photo_id
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.search.build import fill
from car_retrieval.search.gallery import Gallery
from car_retrieval.search.lopq.fit import LopqParams
from car_retrieval.search.lopq.index import LopqIndex

DIMENSION, LISTED = 6, 12


def unit(seed: int, count: int = 1) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def listed() -> pd.DataFrame:
    numbers = np.arange(LISTED)
    names = [("Audi", "A4"), ("Audi", "A6"), ("Skoda", "Octavia")]
    return pd.DataFrame(
        {
            "Path": [f"{number}.jpg" for number in numbers],
            "Index": numbers,
            "Class": numbers % 3,
            "MakeName": [names[number % 3][0] for number in numbers],
            "ModelName": [names[number % 3][1] for number in numbers],
            "Year": pd.array([2000 + number for number in numbers], "Int64"),
            "Hash": [f"{number:032x}" for number in numbers],
            "Colour": ["red", "blue"] * (LISTED // 2),
        }
    )


def living(store: GalleryStore, encoder: str = "e") -> LivingGallery:
    return LivingGallery(listed(), unit(1, LISTED), store, encoder)


@pytest.fixture
def store(tmp_path: Path) -> GalleryStore:
    return GalleryStore(tmp_path / "gallery.sqlite")


def test_without_changes_it_is_the_gallery_of_the_run(store: GalleryStore) -> None:
    snapshot = living(store).snapshot()
    assert len(snapshot) == LISTED
    pd.testing.assert_frame_equal(snapshot.photos, listed())
    assert snapshot.ids[3] == photo_id("3.jpg")


def test_an_added_photo_is_a_new_row_of_every_process(store: GalleryStore) -> None:
    first, second = living(store), living(store)
    before = second.snapshot()
    added = GalleryRecord("new.jpg", "a" * 32, Labels("Audi/A6", year=2021, fields={"Colour": "x"}))
    first.store.put([added], unit(2), "e")
    after = second.snapshot()
    assert (len(before), len(after)) == (LISTED, LISTED + 1)
    photo = after.photo(LISTED)
    assert photo["Path"] == "new.jpg"
    assert (photo["Class"], photo["MakeName"], photo["ModelName"]) == (1, "Audi", "A6")
    assert (photo["Year"], photo["Colour"]) == (2021, "x")
    assert second.row_of(added.id) == LISTED
    np.testing.assert_array_equal(after.vector(LISTED), unit(2)[0])
    hits, scores = after.search(unit(2), np.flatnonzero(after.present), 1)
    assert hits[0, 0] == LISTED
    assert scores[0, 0] == pytest.approx(1)


def test_a_removed_photo_is_not_there(store: GalleryStore) -> None:
    gallery = living(store)
    store.remove([GalleryRecord("4.jpg", "")])
    snapshot = gallery.snapshot()
    assert len(snapshot) == LISTED - 1
    assert not snapshot.present[4]
    assert gallery.row_of(photo_id("4.jpg")) is None


def test_a_corrected_photo_keeps_its_id(store: GalleryStore) -> None:
    gallery = living(store)
    corrected = GalleryRecord("4.jpg", f"{4:032x}", Labels("Skoda/Octavia", year=1999))
    store.put([corrected], unit(1, LISTED)[4:5], "e")
    snapshot = gallery.snapshot()
    assert len(snapshot) == LISTED
    row = gallery.row_of(photo_id("4.jpg"))
    assert row == LISTED
    assert snapshot.photo(row)["Class"] == 2
    assert [photo_id("4.jpg"), False] == [snapshot.ids[4], snapshot.present[4]]


def test_new_classes_get_new_numbers(store: GalleryStore) -> None:
    gallery = living(store)
    labels = ["Audi/A8", "audi / a8", "BMW/i3", "octavia", "1"]
    records = [GalleryRecord(f"n{n}.jpg", "", Labels(name)) for n, name in enumerate(labels)]
    store.put(records, unit(5, len(records)), "e")
    added = gallery.snapshot().photos.iloc[LISTED:]
    assert added["Class"].tolist() == [3, 3, 4, 2, 1]
    assert added["ModelName"].tolist() == ["A8", "A8", "i3", "Octavia", "A6"]


def test_photos_of_another_encoder_wait(store: GalleryStore) -> None:
    gallery = living(store)
    added = GalleryRecord("new.jpg", "a" * 32)
    kept = record_of(listed().iloc[2])
    store.put([added, kept], unit(3, 2), "other")
    snapshot = gallery.snapshot()
    assert len(snapshot) == LISTED
    assert snapshot.waiting == (added,), "the run describes the other photo with the same labels"
    store.put([added], unit(3), "e")
    assert gallery.snapshot().waiting == ()
    assert len(gallery.snapshot()) == LISTED + 1


def test_photos_without_classes_can_be_added(store: GalleryStore) -> None:
    unlabelled = listed().assign(Class=pd.array([pd.NA] * LISTED, "Int64"))
    gallery = LivingGallery(unlabelled, unit(1, LISTED), store, "e")
    store.put([GalleryRecord("new.jpg", "")], unit(3), "e")
    assert pd.isna(gallery.snapshot().photos["Class"]).all()


changes = st.lists(
    st.tuples(st.integers(0, LISTED + 8), st.sampled_from(["put", "put", "remove"])), max_size=25
)


@given(changes, st.integers(0, 3), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_it_finds_what_a_new_gallery_finds(
    tmp_path_factory: pytest.TempPathFactory,
    made: list[tuple[int, str]],
    every: int,
    k: int,
) -> None:
    store = GalleryStore(tmp_path_factory.mktemp("store") / "gallery.sqlite")
    gallery = living(store)
    state = {f"{row}.jpg": vector for row, vector in enumerate(unit(1, LISTED))}
    for step, (number, kind) in enumerate(made):
        record = GalleryRecord(f"{number}.jpg", f"{step}")
        if kind == "put":
            vector = unit(100 + step)
            store.put([record], vector, "e")
            state[record.path] = vector[0]
        else:
            store.remove([record])
            state.pop(record.path, None)
        if every and step % every == 0:
            gallery.snapshot()
    for seen in (gallery.snapshot(), living(store).snapshot()):
        assert len(seen) == len(state)
        rows = np.flatnonzero(seen.present)
        assert sorted(seen.photos["Path"].iloc[rows]) == sorted(state)
        queries = unit(7, 3)
        hits, scores = seen.search(queries, rows, k)
        paths = sorted(state)
        expected = queries @ np.array([state[path] for path in paths]).reshape(-1, DIMENSION).T
        np.testing.assert_allclose(
            scores[:, : len(paths)], -np.sort(-expected, axis=1)[:, :k], atol=1e-6
        )
        candidates = np.tile(rows, (3, 1))
        for found, exact in zip(seen.rerank(queries, candidates, k), (hits, scores), strict=True):
            np.testing.assert_array_equal(found, exact[:, : found.shape[1]])


@pytest.mark.parametrize("missing", [0, 1, 3, 40, 120])
def test_photos_that_are_not_searched_are_not_found(missing: int) -> None:
    vectors = unit(3, 150)
    rows = np.sort(np.random.default_rng(missing).permutation(150)[missing:])
    hits = Gallery(vectors, rows).search(np.arange(5), unit(4, 5), 10).hits
    expected = rows[np.argsort(-(unit(4, 5) @ vectors[rows].T), axis=1)[:, :10]]
    np.testing.assert_array_equal(hits[:, : expected.shape[1]], expected)


def test_an_index_takes_added_rows_and_leaves_out_removed_ones(
    store: GalleryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approximate, "PENDING", 8)
    gallery = living(store)
    inner = LopqIndex(LopqParams(splits=1, coarse=2, subquantisers=6, bits=8))
    fill(inner, np.asarray(unit(1, LISTED)), np.arange(LISTED), seed=0)
    index = GalleryIndex(inner)
    for step in range(30):
        store.put([GalleryRecord(f"n{step}.jpg", str(step))], unit(50 + step), "e")
        if step % 3 == 0:
            store.remove([GalleryRecord(f"n{step // 2}.jpg", "")])
        seen = gallery.snapshot()
        rows = np.flatnonzero(seen.present)
        exact = seen.search(unit(9, 2), rows, 5)
        found = index.search(seen, unit(9, 2), rows, 5)
        np.testing.assert_array_equal(found[0], exact[0])
        np.testing.assert_array_equal(found[1], exact[1])
    assert index.recall(seen, rows, 5) == 1
    assert abs(len(inner) - len(seen)) <= 8, "removed rows do not stay in the index"


def test_ids_and_files_are_those_of_the_current_state(store: GalleryStore) -> None:
    gallery = living(store)
    added = GalleryRecord("new.jpg", "a" * 32)
    store.put([added], unit(3), "e")
    assert gallery.find_file("a" * 32) == added, "before anything else has looked"
    other = living(store)
    store.put([GalleryRecord("4.jpg", "b" * 32)], unit(4), "e")
    assert other.row_of(photo_id("4.jpg")) == LISTED + 1


def test_a_removed_photo_that_another_encoder_adds_again_waits(store: GalleryStore) -> None:
    gallery = living(store)
    kept = record_of(listed().iloc[2])
    store.remove([kept])
    assert gallery.snapshot().waiting == ()
    store.put([kept], unit(3), "other")
    snapshot = gallery.snapshot()
    assert snapshot.waiting == (kept,)
    assert len(snapshot) == LISTED - 1


def test_a_value_of_another_type_than_its_column_is_kept(store: GalleryStore) -> None:
    typed = listed().assign(doors=range(LISTED), sold=True)
    gallery = LivingGallery(typed, unit(1, LISTED), store, "e")
    labels = Labels("A4", fields={"doors": "five", "sold": "no"})
    store.put([GalleryRecord("new.jpg", "f" * 32, labels)], unit(2, 1), "e")
    photos = gallery.snapshot().photos
    assert photos["doors"].tolist() == [*range(LISTED), "five"]
    assert photos["sold"].tolist() == [True] * LISTED + ["no"]


def test_a_field_does_not_replace_a_column_of_the_table(store: GalleryStore) -> None:
    gallery = living(store)
    labels = Labels("A4", fields={"Class": "red", "Path": "x"})
    store.put([GalleryRecord("new.jpg", "f" * 32, labels)], unit(2, 1), "e")
    assert gallery.snapshot().photos["Path"].iloc[-1] == "new.jpg"
    assert gallery.snapshot().photos["Class"].iloc[-1] == 0


def test_a_copy_of_a_removed_photo_is_found_by_its_file(store: GalleryStore) -> None:
    twins = listed().assign(Hash=["a" * 32] * 2 + [f"{row:032x}" for row in range(2, LISTED)])
    gallery = LivingGallery(twins, unit(1, LISTED), store, "e")
    for gone, kept in (("1.jpg", "0.jpg"), ("0.jpg", None)):
        store.remove([GalleryRecord(gone, "a" * 32)])
        record = gallery.find_file("a" * 32)
        assert (record and record.path) == kept


def test_photos_whose_values_a_run_read_as_numbers_do_not_wait(store: GalleryStore) -> None:
    labels = Labels("A4", fields={"code": "007", "price": "1.50", "sold": "true"})
    store.put([GalleryRecord("0.jpg", "0" * 32, labels)], unit(2, 1), "old")
    columns = {"code": 7, "price": 1.5, "sold": True, "Year": pd.NA, "Colour": None}
    read = listed().assign(**columns)
    gallery = LivingGallery(read, unit(1, LISTED), store, "new")
    assert not gallery.snapshot().waiting
    other = listed().assign(**columns | {"code": 8})
    assert LivingGallery(other, unit(1, LISTED), store, "new").snapshot().waiting


def test_a_class_keeps_the_name_that_it_was_added_with(store: GalleryStore) -> None:
    labels = Labels("BMW/X5", year=2001)
    store.put([GalleryRecord("new.jpg", "f" * 32, labels)], unit(2, 1), "old")
    run = with_changes(listed(), store.changes())
    assert run["Class"].iloc[-1] == 3
    run = run.assign(Hash=[*listed()["Hash"], "f" * 32])
    gallery = LivingGallery(run, unit(1, LISTED + 1), store, "new")
    record = gallery.snapshot().record(LISTED)
    assert record.labels == labels, "not number 3, which another class may get in the next list"
    store.put([replace(record, labels=replace(labels, year=2002))], unit(2, 1), "new")
    volvo = pd.DataFrame(
        {"Path": ["v.jpg"], "Class": [3], "MakeName": ["Volvo"], "ModelName": ["V70"]}
    )
    run = with_changes(pd.concat([listed(), volvo], ignore_index=True), store.changes())
    assert run.set_index("Path")["Class"].loc[["v.jpg", "new.jpg"]].tolist() == [3, 4]
