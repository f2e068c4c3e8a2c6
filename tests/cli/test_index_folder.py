"""`kedro index-folder`: any folder of photos becomes lists that `--env=independent` reads."""

import os
import shlex
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from tests.conftest import link
from tests.folders import index, loaded, photo, put, refusal, refusal_of_usage

from car_retrieval.data.folder import walk_photos
from car_retrieval.datasets.photo_lists import read_index

NFC, NFD = (unicodedata.normalize(form, "Citroën C4") for form in ("NFC", "NFD"))


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    """Three classes of 14, 7 and 1 photos."""
    for seed, (name, count) in enumerate([("vw golf", 14), ("audi a4", 7), ("fiat", 1)]):
        put(tmp_path / "cars", *(f"{name}/{n:02}.jpg" for n in range(count)), seed=seed)
    return tmp_path / "cars"


def test_a_share_of_each_class_becomes_queries(cars: Path, tmp_path: Path) -> None:
    lines = index(cars, "--out", tmp_path / "out")
    assert lines[-3:-1] == ["19 gallery photos of 3 classes", "3 queries of 2 classes"]
    gallery, queries = loaded(tmp_path / "out")
    assert queries["ModelName"].value_counts().to_dict() == {"vw golf": 2, "audi a4": 1}
    paths = [*gallery["Path"], *queries["Path"]]
    assert sorted(paths) == sorted(str(file.relative_to(cars)) for file in cars.rglob("*.jpg"))
    classes = pd.read_csv(tmp_path / "out" / "classes.csv").set_index("Name")["Class"]
    assert classes.to_dict() == {"audi a4": 0, "fiat": 1, "vw golf": 2}
    for table in (gallery, queries):
        assert (table["Class"] == table["ModelName"].map(classes)).all()
        assert "MakeName" not in table

    index(cars, "--out", tmp_path / "again")
    for name in ("indexinfo.csv", "tindexinfo.csv", "test.npy", "classes.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    index(cars, "--out", tmp_path / "other", "--seed", 8)
    assert set(loaded(tmp_path / "other")[1]["Path"]) != set(queries["Path"])


def test_near_duplicates_become_queries_together_or_not_at_all(tmp_path: Path) -> None:
    put(tmp_path / "cars", *(f"a/{n:02}.jpg" for n in range(14)))
    for n in range(14):
        picture = Image.open(tmp_path / "cars" / f"a/{n:02}.jpg")
        picture.save(tmp_path / "cars" / f"a/{n:02} small.png")
    index(tmp_path / "cars", "--out", tmp_path / "out")
    _, queries = loaded(tmp_path / "out")
    names = queries["Path"].str[:4]
    assert len(queries) == 4
    assert names.nunique() == 2


def test_folders_in_folders_are_classes_of_their_own(tmp_path: Path) -> None:
    put(tmp_path / "cars", "Audi/A4/2009/1.jpg", "Audi/A6/2009/1.jpg", "Audi/A6/2.jpg", "Kia/1.jpg")
    put(tmp_path / "photos", "Audi/A4/2009/1.jpg", "Opel/1.jpg", seed=1)
    index(tmp_path / "cars", "--queries", tmp_path / "photos", "--out", tmp_path / "out")
    gallery, queries = loaded(tmp_path / "out")
    assert gallery[["MakeName", "ModelName"]].to_numpy().tolist() == [
        ["Audi", "A4/2009"],
        ["Audi", "A6"],
        ["Audi", "A6/2009"],
        ["", "Kia"],
    ]
    assert gallery["Class"].nunique() == 4
    assert queries["Class"].isin(gallery["Class"]).tolist() == [True, False]


def test_classes_of_a_csv(cars: Path, tmp_path: Path) -> None:
    rows = [f"{file.relative_to(cars)},{n % 2},{n}" for n, file in enumerate(cars.rglob("*.jpg"))]
    table = tmp_path / "classes of mine.csv"
    table.write_text("\ufeffPath,CLASS,Year\n" + "\n".join(rows[:-1]), "utf-8")
    lines = index(cars, "--classes", table, "--out", tmp_path / "out", "--query-ratio", 5)
    assert any("1 photo " in line and "classes of mine.csv" in line for line in lines)
    gallery, queries = loaded(tmp_path / "out")
    assert len(gallery) + len(queries) == len(rows) - 1
    assert set(gallery["ModelName"]) == {"0", "1"}
    assert (gallery["Year"] % 2 == gallery["ModelName"].astype(int)).all()

    for text, message in (
        ("class\n", "exactly one column path"),
        ("path,Path,class\n", "exactly one column path"),
        ("path,class\nfiat/00.jpg, \nx,1\n", "line 2: fiat/00.jpg has no class"),
        ("path,class\nfiat/00.jpg,1\nfiat/00.jpg,2\n", "line 3: fiat/00.jpg is a duplicate path"),
        ("path,class\nfiat/00.jpg,1\n\nx.jpg,2\n", "no photo x.jpg in "),
        ("", "cannot be read as CSV"),
    ):
        table.write_text(text)
        said = refusal(cars, "--classes", table, "--out", tmp_path / "new")
        assert message in said
        assert str(table) in said
    assert not (tmp_path / "new").exists()


def test_csvs_that_go_wrong_easily(tmp_path: Path) -> None:
    cars, out, table = tmp_path / "cars", tmp_path / "out", tmp_path / "classes.csv"
    put(cars, *(f"a/{number}.png" for number in range(9)))
    paths = [f"a/{number}.png" for number in range(9)]
    table.write_text("path,class,Name\n" + "".join(f"{path},A,x\n" for path in paths))
    index(cars, "--classes", table, "--out", out)
    assert set(loaded(out)[0]["Class"]) == {0}
    table.write_text("path,class\n" + "".join(f"{path},A\n" for path in paths))
    said = refusal(cars, "--classes", table, "--out", tmp_path)
    assert "classes.csv was not written by an earlier call" in said
    table.write_text("path,class\n" + "".join(f"{path},A\n" for path in paths).replace("/", "\\"))
    assert "forward slashes" in refusal(cars, "--classes", table, "--out", tmp_path / "other")
    table.write_text("path,class\n")
    said = refusal(cars, "--classes", table, "--out", tmp_path / "other")
    assert said.endswith(f"{cars}: none of its photos is in {table}")


def test_no_class_with_enough_photos_leaves_no_queries(cars: Path, tmp_path: Path) -> None:
    lines = index(cars, "--out", tmp_path / "out", "--query-ratio", 30)
    assert any("no class has 30 different photos" in line for line in lines)
    gallery, queries = loaded(tmp_path / "out")
    assert (len(gallery), len(queries)) == (22, 0)


def test_one_class_is_described_without_training(tmp_path: Path) -> None:
    put(tmp_path / "cars", *(f"audi/{n}.jpg" for n in range(3)))
    assert "--pipelines=zero_shot" in index(tmp_path / "cars", "--out", tmp_path / "out")[-1]


def test_the_next_command_is_quoted(cars: Path, tmp_path: Path) -> None:
    out = tmp_path / "my lists"
    *_, line = index(cars, "--out", out)
    assert shlex.split(line.split("next: ")[1]) == [
        *(f"INDEPENDENT_ROOT={out}", "kedro", "run", "--env=independent")
    ]


def test_what_lies_about(cars: Path, tmp_path: Path) -> None:
    put(cars, ".hidden/1.jpg", "fiat/._00.jpg", "__MACOSX/fiat/1.jpg")
    put(cars, f'{NFC}/ü ß 雪,"1".JPG', "fiat/1.JPEG", "fiat/2.Png", "fiat/NA.jpg", seed=8)
    (cars / "empty" / "deeper").mkdir(parents=True)
    (cars / "fiat" / "notes.txt").write_text("x")
    (cars / "fiat" / "live.MOV").write_bytes(b"x")
    (cars / "fiat" / "phone.HEIC").write_bytes(photo(15, "HEIF"))
    (cars / "fiat" / "shared.HEIC").write_bytes(photo(16))  # a JPEG, as messengers send it
    (cars / "fiat" / "no suffix").write_bytes(photo(5))
    (cars / "fiat" / "cut.jpg").write_bytes(photo(6)[:300])
    lines = index(cars, "--out", tmp_path / "out")
    (other,) = (line for line in lines if "3 files" in line)
    assert "1 .mov (videos are not read" in other
    assert "1 .txt" in other
    assert "1 no suffix" in other
    assert any("1 photo cannot be read" in line for line in lines)
    assert any(line.startswith("  1 .jpg, ") and "fiat/cut.jpg: " in line for line in lines)
    left = pd.read_csv(tmp_path / "out" / "left_out.csv")
    assert left["Path"].tolist() == ["fiat/cut.jpg"]
    gallery, queries = loaded(tmp_path / "out")
    found = {*gallery["Path"], *queries["Path"]}
    assert {f'{NFC}/ü ß 雪,"1".JPG', "fiat/1.JPEG", "fiat/2.Png", "fiat/NA.jpg"} <= found
    assert {"fiat/phone.HEIC", "fiat/shared.HEIC"} <= found
    assert len(found) == 22 + 6
    assert "empty" not in (tmp_path / "out" / "classes.csv").read_text()


def test_one_name_in_two_unicode_forms_is_one_class(tmp_path: Path) -> None:
    put(tmp_path / "cars", f"{NFC}/1.jpg", "b/1.jpg")
    put(tmp_path / "photos", f"{NFD}/1.jpg", seed=1)
    index(tmp_path / "cars", "--queries", tmp_path / "photos", "--out", tmp_path / "out")
    gallery, queries = loaded(tmp_path / "out")
    assert queries["Class"].tolist() == gallery.loc[gallery["Path"] != "b/1.jpg", "Class"].tolist()


def test_names_that_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "cars", "Audi A4/1.jpg")
    put(tmp_path / "photos", "audi a4/1.jpg", seed=1)
    said = refusal(tmp_path / "cars", "--queries", tmp_path / "photos", "--out", tmp_path / "out")
    assert "the classes 'Audi A4' and 'audi a4' differ only in case" in said


def test_links_are_followed_but_not_in_circles(cars: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "1.jpg", "2.jpg", seed=7)
    link(cars / "linked folder", tmp_path / "elsewhere")
    link(cars / "fiat" / "linked.jpg", tmp_path / "elsewhere" / "1.jpg")
    link(cars / "fiat" / "up", cars)
    link(cars / "fiat" / "gone.jpg", tmp_path / "nowhere.jpg")
    lines = index(cars, "--out", cars)  # the lists beside the photos, with links to this folder
    assert any("file not found" in line and "fiat/gone.jpg" in line for line in lines)
    gallery, queries = loaded(cars)
    assert {"linked folder/1.jpg", "linked folder/2.jpg", "fiat/linked.jpg"} <= {
        *gallery["Path"],
        *queries["Path"],
    }
    assert len(gallery) + len(queries) == 22 + 3
    index(cars, "--out", cars, "--force")
    assert len(pd.concat(loaded(cars))) == 22 + 3


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be there")
def test_names_that_no_list_can_hold_are_named(cars: Path, tmp_path: Path) -> None:
    put(cars, "fiat/a\\b.jpg")
    with open(os.fsencode(cars) + b"/fiat/\xff.jpg", "wb") as file:
        file.write(photo(1))
    lines = index(cars, "--out", tmp_path / "out")
    assert f"{cars}/fiat/a\\b.jpg is left out: its name has a backslash" in lines
    assert any(line.endswith("is left out: its name is not UTF-8") for line in lines)


def test_refusals_name_the_place_and_the_way_out(cars: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    assert "nothing is not a folder" in refusal(tmp_path / "nothing", *out)
    (tmp_path / "bare").mkdir()
    assert "bare: no photo found below it" in refusal(tmp_path / "bare", *out)
    put(tmp_path / "bare", "1.jpg", "2.jpg", "a/3.jpg")
    said = refusal(tmp_path / "bare", *out)
    assert "bare/1.jpg is not in a class folder (2 such photos)" in said
    assert "2" in refusal_of_usage(cars, *out, "--query-ratio", 1)
    put(tmp_path / "broken", "a/1.jpg")
    (tmp_path / "broken" / "a" / "1.jpg").write_bytes(b"")
    assert "none of its photos can be read" in refusal(tmp_path / "broken", *out)
    put(tmp_path / "out" / "traini", "a/1.jpg")
    assert "traini exists and is not" in refusal(cars, *out, "--force")
    assert not (tmp_path / "out" / "indexinfo.csv").exists()


def test_photos_that_lie_where_they_are_looked_for_need_no_link(tmp_path: Path) -> None:
    put(tmp_path / "traini", "a/1.jpg", "b/1.jpg")
    put(tmp_path / "testi", "a/1.jpg", seed=1)
    index(tmp_path / "traini", "--queries", tmp_path / "testi", "--out", tmp_path)
    assert not (tmp_path / "traini").is_symlink()
    assert [len(table) for table in loaded(tmp_path)] == [2, 1]


def test_the_default_place_is_the_root_of_the_environment(
    cars: Path, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from kedro.framework.startup import bootstrap_project

    monkeypatch.chdir(project)
    monkeypatch.delenv("INDEPENDENT_ROOT", raising=False)
    bootstrap_project(project)
    lines = index(cars)
    assert lines[-1].endswith("next: kedro run --env=independent")
    assert len(read_index(project / "data" / "01_raw" / "independent" / "indexinfo.csv")) == 19


def test_walking_is_sorted_and_counts_the_rest(tmp_path: Path) -> None:
    put(tmp_path, "b/2.jpg", "b/10.jpg", "a b/1.webp")
    put(tmp_path, "b/x.gz", "b/y.gz")
    walk = walk_photos(tmp_path)
    assert walk.photos == ["a b/1.webp", "b/10.jpg", "b/2.jpg"]
    assert walk.other == {".gz": 2}
