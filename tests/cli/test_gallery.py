"""`kedro gallery`, as a user calls it."""

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from tests.serving.conftest import ENV, PHOTOS, own_project, searchable

from car_retrieval.cli import gallery as cli
from car_retrieval.cli.gallery import command
from car_retrieval.cli.search import command as search_command
from car_retrieval.gallery.record import GalleryRecord, photo_id
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.serving.gallery_writer import GalleryWriter, NewPhoto
from car_retrieval.serving.run_artifacts import open_retriever

__all__ = ["own_project", "searchable"]  # fixtures

TRAINI = Path("data/01_raw/independent/traini")


@pytest.fixture
def here(own_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(own_project)
    monkeypatch.setenv("KEDRO_ENV", ENV)
    return own_project


def gallery(*arguments: str, fails: bool = False, **options: Any) -> Result:
    result = CliRunner().invoke(command, arguments, **options)
    assert result.exit_code == (1 if fails else 0), result.output
    return result


def new_photo(file: Path, seed: int = 100, suffix: str = "JPEG") -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(coarse).resize((90, 70), Image.Resampling.BICUBIC).save(data, suffix)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.getvalue())
    return data.getvalue()


def found(file: Path | str, *options: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(search_command, [str(file), "--json", "--k=3", *options])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["matches"]  # type: ignore[no-any-return]


def test_an_added_photo_is_found_at_once(here: Path) -> None:
    data = new_photo(here / "new.jpg")
    result = gallery("add", "new.jpg", "--class=Audi/A9", "--year=2031", "--field=colour=red")
    assert "1 added, 0 updated, 0 unchanged, 0 skipped" in result.output
    first = found("new.jpg")[0]
    assert (first["make"], first["model"], first["year"]) == ("Audi", "A9", 2031)
    assert first["fields"] == {"colour": "red"}
    assert first["similarity"] == pytest.approx(1, abs=1e-5)
    assert Path(first["path"]).read_bytes() == data
    (here / "new.jpg").unlink()
    assert open_retriever().image(first["id"]) == data, "the file was copied"


def test_the_same_photo_again_changes_nothing(here: Path) -> None:
    new_photo(here / "new.jpg")
    new_photo(here / "sub" / "copy.jpg")
    for name in ("new.jpg", "new.jpg", "sub/copy.jpg", str(TRAINI / "3.jpg")):
        output = gallery("add", name).output
    assert "0 added, 0 updated, 1 unchanged" in output
    revision = open_retriever().gallery.store.revision
    assert "1 unchanged" in gallery("add", "new.jpg").output
    assert open_retriever().gallery.store.revision == revision == 1


def test_changed_labels_and_files_are_updated(here: Path) -> None:
    new_photo(here / "new.jpg")
    gallery("add", "new.jpg", "--class=Audi A6", "--field=colour=red")
    first = found("new.jpg")[0]
    assert "1 updated" in gallery("add", "new.jpg", "--class=Octavia", "--field=doors=5").output
    again = found("new.jpg")[0]
    assert again["id"] == first["id"]
    assert (again["make"], again["model"]) == ("Skoda", "Octavia")
    assert again["fields"] == {"colour": "red", "doors": "5"}
    assert "1 unchanged" in gallery("add", "new.jpg", "--class=skoda/octavia").output

    new_photo(here / TRAINI / "3.jpg", seed=7)
    assert "1 updated" in gallery("add", str(TRAINI / "3.jpg")).output
    assert found(TRAINI / "3.jpg")[0]["id"] == photo_id("3.jpg")
    assert len(open_retriever().gallery.snapshot()) == PHOTOS + 1


def test_folders_csv_and_standard_input(here: Path) -> None:
    for number, name in enumerate(("a/BMW/1.jpg", "a/BMW/2.jpg", "a/loose.png")):
        new_photo(here / name, seed=200 + number)
    assert "3 added" in gallery("add", "a").output
    listed = pd.read_csv(io.StringIO(gallery("list", "--csv").stdout), dtype=str)
    made = listed.iloc[PHOTOS:].set_index(listed["path"].str.rpartition("/")[2].iloc[PHOTOS:])
    assert made.loc["1.jpg", "class"] == made.loc["2.jpg", "class"]
    assert made.loc["1.jpg", "model"] == "BMW"
    assert pd.isna(made.loc["loose.png", "class"])

    table = "path,class,Colour,year\nBMW/1.jpg,Audi/A4,blue,2004\nloose.png,,green,\n"
    (here / "a" / "list.csv").write_text(table)
    assert "0 added, 2 updated" in gallery("add", "a/list.csv").output
    assert found("a/BMW/1.jpg")[0]["year"] == 2004
    new_photo(here / "b.jpg", seed=300)
    output = gallery("add", "-", input="b.jpg\na/BMW/2.jpg\nnowhere.jpg\n").output
    assert "1 added, 0 updated, 1 unchanged, 1 skipped" in output
    assert "nowhere.jpg: no such file" in output
    assert "1 updated" in gallery("add", "-", input="colour,path\nred,b.jpg\n").output


def test_an_added_photo_inside_the_folder_is_not_copied(here: Path) -> None:
    new_photo(here / TRAINI / "later" / "x.jpg")
    gallery("add", str(TRAINI))
    assert [match["path"] for match in found(TRAINI / "later" / "x.jpg")[:1]] == [
        str(here / TRAINI / "later/x.jpg")
    ]
    assert not list(here.glob("data/01_raw/gallery_changes/*/added/*"))


def test_what_is_no_photo_is_skipped(here: Path) -> None:
    (here / "text.jpg").write_text("no photo")
    new_photo(here / "new.jpg")
    output = gallery("add", "text.jpg", "new.jpg").output
    assert "skipped text.jpg: it is not a picture" in output
    assert "1 added, 0 updated, 0 unchanged, 1 skipped" in output


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("class\nx\n", "line 1: a CSV needs one column path"),
        ("path,class\nnew.jpg\n", "line 2: has fewer fields"),
        ("path\nnew.jpg,x\n", "line 2: has more fields"),
        ("path,year\nnew.jpg,old\n", "line 2: year 'old'"),
        ("path,Hash\nnew.jpg,x\n", "line 1: the column name Hash"),
        (
            'path,note\nnew.jpg,"5 inch\nb.jpg,x\n',
            "line 3: unexpected end of data; check the quotes",
        ),
        ("path,note,note\nnew.jpg,x,y\n", "line 1: there are several columns note"),
        ("path,path\nnew.jpg,x\n", "line 1: a CSV needs one column path"),
        ("path,year\nnew.jpg,99999999999999999999\n", "line 2: year 99999999999999999999 is not"),
        ('path\n""\n', "line 2: path is empty"),
    ],
)
def test_a_bad_csv_is_refused_before_any_work(here: Path, table: str, why: str) -> None:
    (here / "list.csv").write_text(table)
    new_photo(here / "new.jpg")
    result = gallery("add", "new.jpg", "list.csv", fails=True)
    assert why in result.output
    assert open_retriever().gallery.store.revision == 0


def test_a_dry_run_changes_nothing(here: Path) -> None:
    new_photo(here / "new.jpg")
    assert "would be: 1 added" in gallery("add", "new.jpg", "--dry-run").output
    assert "1 photo would be removed" in gallery("remove", "3.jpg", "--dry-run").output
    assert open_retriever().gallery.store.revision == 0
    assert not list(here.glob("data/01_raw/gallery_changes/**/*.jpg"))


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


@pytest.mark.parametrize("option", ["--year=99999999999999999999", "--field=Class=red"])
def test_labels_that_no_table_can_hold_are_refused(here: Path, option: str) -> None:
    new_photo(here / "new.jpg")
    gallery("add", "new.jpg", option, fails=True)
    assert "20 of 40" in gallery("list").output


def test_a_csv_may_have_line_breaks_in_cells(here: Path) -> None:
    new_photo(here / "a.jpg")
    table = '\ufeff\n"PATH", note,\n\na.jpg,"two\nli\u2028nes",\n'
    (here / "list.csv").write_text(table)
    assert "1 added" in gallery("add", "list.csv").output
    assert found("a.jpg")[0]["fields"] == {"note": "two\nli\u2028nes"}
    assert "1 updated" in gallery("add", "-", input='\ufeffpath,note\na.jpg,"x\ny"\n').output
    assert "not UTF-8" in gallery("add", "-", input=b"\xff.jpg\n", fails=True).output


def test_a_printed_list_is_taken_back(here: Path) -> None:
    data = new_photo(here / "new.jpg")
    gallery("add", "new.jpg", "--class=BMW/X5", "--field=colour=red")
    (here / "list.csv").write_text(gallery("list", "--csv").stdout)
    again = f"0 added, 0 updated, {PHOTOS + 1} unchanged, 0 skipped"
    assert again in gallery("add", "list.csv").output
    assert again in gallery("add", "-", input=(here / "list.csv").read_text()).output
    changed = (here / "list.csv").read_text().replace(",red", ",blue")
    assert "1 updated" in gallery("add", "-", input=changed).output
    first = found("new.jpg")[0]
    assert first["fields"] == {"colour": "blue"}
    assert Path(first["path"]).read_bytes() == data
    gallery("remove", "3.jpg")
    assert "1 added" in gallery("add", "list.csv").output


def test_paths_with_dots_name_the_same_photo(here: Path) -> None:
    (here / TRAINI / "sub").mkdir()
    new_photo(here / TRAINI / "3.jpg", seed=9)
    assert "1 updated" in gallery("add", str(TRAINI / "sub" / ".." / "3.jpg")).output
    new_photo(here / "new.jpg")
    gallery("add", str(TRAINI / ".." / ".." / ".." / ".." / "new.jpg"))
    assert "/added/" in found("new.jpg")[0]["path"], "it is outside the folder, so it is copied"


def test_a_file_that_was_copied_is_removed_by_its_content(here: Path) -> None:
    new_photo(here / "new.jpg")
    gallery("add", "new.jpg")
    assert "1 photo removed" in gallery("remove", "new.jpg").output
    assert "not in the gallery: new.jpg" in gallery("remove", "new.jpg", fails=True).output


def test_a_photo_that_waits_can_be_removed(here: Path) -> None:
    new_photo(here / "new.jpg")
    gallery("add", "new.jpg")
    store = open_retriever().gallery.store
    [change] = store.changes()
    store.put([change.record], np.zeros((1, 16), np.float32), "other")
    assert "1 photo removed" in gallery("remove", change.record.id).output
    assert "wait" not in gallery("info").output


def test_a_name_that_is_not_utf8_is_skipped(here: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    new_photo(here / TRAINI / name)
    for argument in (TRAINI / name, TRAINI):
        assert "its name is not UTF-8" in gallery("add", str(argument)).output
    new_photo(here / name)
    assert "1 added" in gallery("add", name).output, "the copy gets another name"
    assert "1 photo removed" in gallery("remove", name).output


def test_copies_in_one_call_are_one_photo(here: Path) -> None:
    data = new_photo(here / "a.jpg")
    (here / "b.jpg").write_bytes(data)
    (here / "c.jpg").write_bytes(data)
    (here / "list.csv").write_text("path,colour,size\na.jpg,red,\nb.jpg,,large\nc.jpg,,\n")
    assert "1 added, 1 updated, 1 unchanged" in gallery("add", "list.csv").output
    assert len(open_retriever().gallery.snapshot()) == PHOTOS + 1
    assert found("a.jpg")[0]["fields"] == {"colour": "red", "size": "large"}


def test_a_photo_is_corrected_not_its_copy(here: Path) -> None:
    data = (here / TRAINI / "3.jpg").read_bytes()
    for name in ("3.jpg", "4.jpg"):
        (here / TRAINI / name).write_bytes(data)
        gallery("add", str(TRAINI / name))
    for name, colour in (("3.jpg", "red"), ("4.jpg", "blue"), ("3.jpg", "green")):
        gallery("add", str(TRAINI / name), f"--field=colour={colour}")
    snapshot = open_retriever().gallery.snapshot()
    colours = snapshot.photos[snapshot.present].set_index("Path")["colour"].dropna()
    assert colours.to_dict() == {"3.jpg": "green", "4.jpg": "blue"}


def test_the_box_of_a_file_is_not_that_of_the_file_before(here: Path) -> None:
    data = new_photo(here / TRAINI / "4.jpg", seed=9)
    before = open_retriever()
    box = before.propose(data)
    assert before.record(photo_id("4.jpg")).labels.box not in (None, box)
    assert "1 updated" in gallery("add", str(TRAINI / "4.jpg")).output
    assert open_retriever().record(photo_id("4.jpg")).labels.box == box


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
