"""A second `kedro index-folder` keeps the queries of the first."""

import shutil
from pathlib import Path

import pytest
from PIL import Image
from tests.folders import index, loaded, put, refusal


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    """Three classes of 14, 7 and 1 photos."""
    for seed, (name, count) in enumerate([("vw golf", 14), ("audi a4", 7), ("fiat", 1)]):
        put(tmp_path / "cars", *(f"{name}/{n:02}.jpg" for n in range(count)), seed=seed)
    return tmp_path / "cars"


def test_a_second_call_keeps_the_numbers(cars: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    index(cars, "--out", out)
    old = loaded(out)[0].set_index("ModelName")["Class"].to_dict()
    before = {file: file.read_bytes() for file in out.glob("*.*")}
    put(cars, *(f"aaa/{n}.jpg" for n in range(3)), seed=9)
    misspelt = refusal(cars.with_name("kars"), "--out", out)
    assert "kars" in misspelt
    assert "--force" not in misspelt
    assert {file: file.read_bytes() for file in out.glob("*.*")} == before
    index(cars, "--out", out, "--force")
    new = loaded(out)[0].set_index("ModelName")["Class"].to_dict()
    assert new == old | {"aaa": 3}
    (cars / "fiat" / "00.jpg").unlink()
    index(cars, "--out", out, "--force")
    assert "fiat" in (out / "classes.csv").read_text()  # its number is nobody else's


def parts(out: Path) -> dict[str, str]:
    gallery, queries = loaded(out)
    return dict.fromkeys(gallery["Path"], "gallery") | dict.fromkeys(queries["Path"], "query")


def test_a_second_call_keeps_the_draw(cars: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    index(cars, "--out", out)
    first, drawn = parts(out), tmp_path / "drawn"
    shutil.copytree(out, drawn, symlinks=True)
    new = *(f"vw golf/new{n}.jpg" for n in range(20)), *(f"bmw/{n}.jpg" for n in range(9))
    put(cars, *new, seed=5)
    gone = next(path for path, part in first.items() if part == "query")
    (cars / gone).unlink()
    lines = index(cars, "--out", out)
    second = parts(out)
    assert "lists of an earlier call: 21 photos stay, 29 are new" in lines
    assert any(line.startswith("1 photo is no longer there") and gone in line for line in lines)
    assert second == {path: first.get(path, "gallery") for path in second}
    assert len(second) == 21 + 29

    index(cars, "--out", drawn, "--draw-new")
    third = parts(drawn)
    assert all(third[path] == part for path, part in first.items() if path != gone)
    queries = [path for path, part in third.items() if part == "query"]
    assert sum(path.startswith("vw golf") for path in queries) == 33 // 7
    assert sum(path.startswith("bmw") for path in queries) == 1

    lines = index(cars, "--out", out, "--query-ratio=none")
    assert set(parts(out).values()) == {"gallery"}
    assert any("queries of earlier lists join the gallery" in line for line in lines)
    index(cars, "--out", out, "--force")
    assert sum(part == "query" for part in parts(out).values()) == 33 // 7 + 6 // 7 + 9 // 7


def test_a_new_copy_of_a_query_is_a_query(cars: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    index(cars, "--out", out)
    query = next(path for path, part in parts(out).items() if part == "query")
    Image.open(cars / query).save((cars / query).with_suffix(".png"))
    lines = index(cars, "--out", out)
    assert parts(out)[query.replace(".jpg", ".png")] == "query"
    assert any(line.startswith("1 new photo looks like a query") for line in lines)


def test_lists_by_hand_are_not_replaced_unasked(cars: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    index(cars, "--out", out)
    (out / "classes.csv").unlink()
    assert "--force" in refusal(cars, "--out", out)
    index(cars, "--out", out, "--force")
