"""`kedro gallery list`, `info`, `remove` and `describe`, as a user calls them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.cli.gallery_commands import TRAINI, found, gallery, here, new_photo
from tests.serving.conftest import PHOTOS, own_project, searchable

from car_retrieval.cli import gallery as cli
from car_retrieval.cli.search import command as search_command
from car_retrieval.gallery.record import GalleryRecord, photo_id
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.serving.gallery_writer import GalleryWriter, NewPhoto
from car_retrieval.serving.run_artifacts import open_retriever

__all__ = ["here", "own_project", "searchable"]  # fixtures


def test_photos_are_removed_by_path_id_file_and_condition(here: Path) -> None:
    new_photo(here / "new.jpg")
    gallery("add", "new.jpg")
    copy = Path(found("new.jpg")[0]["path"])
    gallery("remove", "1.jpg", photo_id("2.jpg"), str(TRAINI / "3.jpg"), found("new.jpg")[0]["id"])
    assert not copy.exists(), "the copy is gone"
    assert (here / TRAINI / "1.jpg").exists(), "your own file is not"
    assert len(open_retriever().gallery.snapshot()) == PHOTOS - 3
    assert found(TRAINI / "3.jpg")[0]["similarity"] < 1
    result = gallery("remove", "--where=make=skoda")
    kept = open_retriever().gallery.snapshot()
    assert f"{PHOTOS - 3 - len(kept)} photos removed" in result.output
    assert "skoda" not in set(kept.photos["MakeName"][kept.present].str.lower())
    assert "not in the gallery: 1.jpg, x" in gallery("remove", "1.jpg", "x", fails=True).output
    assert "with --where" in gallery("remove", fails=True).output


def test_a_removed_photo_comes_back(here: Path) -> None:
    gallery("remove", "3.jpg")
    assert "1 added" in gallery("add", str(TRAINI / "3.jpg")).output
    assert found(TRAINI / "3.jpg")[0]["id"] == photo_id("3.jpg")


def test_list_and_info_count(here: Path) -> None:
    assert "20 of 40" in gallery("list").output
    assert "id" in gallery("list", "--where=year=2001..2003", "--limit=2").output
    new_photo(here / "new.jpg")
    gallery("add", "new.jpg")
    gallery("remove", "0.jpg")
    lines = gallery("info").output.splitlines()
    assert lines[1] == "since then: 1 added or corrected, 1 removed or replaced"
    assert lines[2] == f"searched: {PHOTOS} photos"


def test_info_measures_the_recall_of_lopq(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "ALWAYS_EXACT", 0)
    assert "LOPQ finds 100.0% of the 20 most similar" in gallery("info").output
    assert "fit it again" not in gallery("info").output
    for number in range(PHOTOS // 2):
        new_photo(here / "new" / f"{number}.jpg", seed=number)
    gallery("add", "new")
    assert "fit it again" in gallery("info").output


def test_a_search_is_filtered_by_any_field(here: Path) -> None:
    for number, colour in enumerate(("red", "blue", "green")):
        new_photo(here / f"{colour}.jpg", seed=number)
        gallery("add", f"{colour}.jpg", f"--field=colour={colour}", f"--field=price={number}")
    names = lambda *options: {Path(match["path"]).stem for match in found("red.jpg", *options)}  # noqa: E731
    assert names("--where=colour=red") == {"red"}
    assert names("--where=Colour=RED,blue") == {"red", "blue"}
    assert names("--where=colour!=red") == {"blue", "green"}
    assert names("--where=price=1..") == {"blue", "green"}
    assert names("--where=price=..1", "--where=colour!=red") == {"blue"}
    assert len(names("--where=year=2001..2003")) == 3
    for bad, why in (("colour", "no condition"), ("price=a..b", "numbers"), ("color=x", "colour?")):
        result = CliRunner().invoke(search_command, ["red.jpg", f"--where={bad}"])
        assert result.exit_code == 1
        assert why in result.output


def test_photos_that_wait_are_described_in_one_call(here: Path) -> None:
    for number in range(3):
        new_photo(here / f"{number}.jpg", seed=400 + number)
    gallery("add", "0.jpg", "1.jpg", "2.jpg")
    store = open_retriever().gallery.store
    changes = store.changes()
    store.put([change.record for change in changes], np.zeros((3, 16), np.float32), "other")
    assert "3 photos wait" in gallery("info").output
    assert "3 photos described" in gallery("describe").output
    assert found("1.jpg")[0]["similarity"] == pytest.approx(1, abs=1e-5)
    assert store.revision == 3, "one transaction"


def test_a_photo_that_waits_can_be_removed(here: Path) -> None:
    new_photo(here / "new.jpg")
    gallery("add", "new.jpg")
    store = open_retriever().gallery.store
    [change] = store.changes()
    store.put([change.record], np.zeros((1, 16), np.float32), "other")
    assert "1 photo removed" in gallery("remove", change.record.id).output
    assert "wait" not in gallery("info").output


def test_a_photo_that_is_added_again_while_it_is_removed_keeps_its_file(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = new_photo(here / "new.jpg")
    gallery("add", "new.jpg")
    remove = GalleryStore.remove

    def remove_and_add(store: GalleryStore, records: Sequence[GalleryRecord]) -> None:
        remove(store, records)
        GalleryWriter(open_retriever()).add([NewPhoto(data, "new.jpg")])  # as another process

    monkeypatch.setattr(GalleryStore, "remove", remove_and_add)
    gallery("remove", "new.jpg")
    assert Path(found("new.jpg")[0]["path"]).read_bytes() == data


def test_makes_and_years_are_those_of_photos_that_are_there(here: Path) -> None:
    gallery("remove", "--where=make=skoda")
    gallery("remove", "--where=year=2009")
    retriever = open_retriever()
    assert retriever.makes == ["Audi"]
    assert retriever.years == (2000, 2008)


def test_a_file_that_changed_while_it_waited_is_known_as_it_is(here: Path) -> None:
    new_photo(here / TRAINI / "x.jpg")
    gallery("add", str(TRAINI / "x.jpg"))
    store = open_retriever().gallery.store
    [change] = store.changes()
    store.put([change.record], np.zeros((1, 16), np.float32), "other")
    new_photo(here / TRAINI / "x.jpg", seed=9)
    gallery("describe")
    assert "1 unchanged" in gallery("add", str(TRAINI / "x.jpg")).output
