"""Photos of the gallery by paths, files and copies."""

from pathlib import Path

from tests.cli.gallery_commands import TRAINI, found, gallery, here, new_photo
from tests.serving.conftest import PHOTOS, own_project, searchable

from car_retrieval.serving.run_artifacts import open_retriever

__all__ = ["here", "own_project", "searchable"]  # fixtures


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
