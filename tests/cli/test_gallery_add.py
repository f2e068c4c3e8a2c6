"""`kedro gallery add`, as a user calls it."""

import io
import os
from pathlib import Path

import pandas as pd
import pytest
from tests.cli.gallery_commands import TRAINI, found, gallery, here, new_photo
from tests.serving.conftest import PHOTOS, own_project, searchable

from car_retrieval.gallery.record import photo_id
from car_retrieval.serving.run_artifacts import open_retriever

__all__ = ["here", "own_project", "searchable"]  # fixtures


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


def test_a_name_that_is_not_utf8_is_skipped(here: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    new_photo(here / TRAINI / name)
    for argument in (TRAINI / name, TRAINI):
        assert "its name is not UTF-8" in gallery("add", str(argument)).output
    new_photo(here / name)
    assert "1 added" in gallery("add", name).output, "the copy gets another name"
    assert "1 photo removed" in gallery("remove", name).output


def test_the_box_of_a_file_is_not_that_of_the_file_before(here: Path) -> None:
    data = new_photo(here / TRAINI / "4.jpg", seed=9)
    before = open_retriever()
    box = before.propose(data)
    assert before.record(photo_id("4.jpg")).labels.box not in (None, box)
    assert "1 updated" in gallery("add", str(TRAINI / "4.jpg")).output
    assert open_retriever().record(photo_id("4.jpg")).labels.box == box
