"""Damaged and incomplete trees of CompCars."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from car_retrieval.data import compcars

SAMPLE = Path(__file__).parents[2] / "data" / "01_raw" / "sample"


def touch(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


@pytest.fixture
def tree(tmp_path):
    """A web tree in which much is wrong."""
    image, label = tmp_path / "data" / "image", tmp_path / "data" / "label"
    for path in ("1/2/2012/ok.jpg", "1/2/2012/bare.JPG", "1/2/2012/bad.jpg", "1/x/2012/a.jpg",
                 "1/loose.jpg", "1/2/2012/._ok.jpg", "1/2/2012/.DS_Store", "1/2/2012/Thumbs.db",
                 "3/4/2012/binary.jpg", "10/5/2010/z.jpeg"):  # fmt: skip
        touch(image / path)
    for path, content in {
        "1/2/2012/ok": b"1\r\n1\n1 2 3 4\n",
        "1/2/2012/bad": b"9\n1\n1 2 3 4\n",
        "3/4/2012/binary": b"\xff\xfe",
        "10/5/2010/z": b"5\n1\n1 2 3 4",
    }.items():
        touch(label / f"{path}.txt")
        (label / f"{path}.txt").write_bytes(content)
    (tmp_path / "data" / "misc").mkdir()
    shutil.copy(SAMPLE / "data/misc/make_model_name.mat", tmp_path / "data/misc")
    return tmp_path


def test_a_photo_that_cannot_be_used_says_why(tree):
    table = compcars.list_web(tree).set_index("Path")
    problems = table["Problem"].to_dict()
    assert problems["1/2/2012/ok.jpg"] == problems["10/5/2010/z.jpeg"] == ""
    assert problems["1/2/2012/bare.JPG"] == "label file not found"
    assert problems["1/2/2012/bad.jpg"] == "label has unknown viewpoint 9"
    assert "ascii" in problems["3/4/2012/binary.jpg"]
    misplaced = "path is not make/model/year/name.jpg"
    assert problems["1/x/2012/a.jpg"] == problems["1/loose.jpg"] == misplaced
    assert len(problems) == 7
    assert table.loc["1/2/2012/ok.jpg", "View Point"] == 1
    assert table[table["Problem"] != ""]["View Point"].isna().all()


def test_numbers_beyond_64_bits_are_recorded(tree):
    huge, folder = 10**20, "1/2/2012"
    (tree / "data" / "label" / f"{folder}/ok.txt").write_text(f"1\n1\n1 2 {huge} 4\n")
    touch(tree / "data" / "image" / f"1/{huge}/2012/a.jpg")
    touch(tree / "data" / "image" / f"1/2/{huge}/b.jpg")
    touch(tree / "data" / "label" / f"1/2/{huge}/b.txt")
    (tree / "data" / "label" / f"1/2/{huge}/b.txt").write_text("1\n1\n1 2 3 4\n")
    table = compcars.list_web(tree).set_index("Path")
    assert table.loc[f"{folder}/ok.jpg", "Problem"] == "label has a number that exceeds 64 bits"
    assert table.loc[f"1/{huge}/2012/a.jpg", "Problem"] == "path is not make/model/year/name.jpg"
    assert table.loc[f"1/2/{huge}/b.jpg", "Problem"] == ""
    assert pd.isna(table.loc[f"1/2/{huge}/b.jpg", "Year"])


def test_a_label_that_is_a_folder_is_recorded(tree):
    (tree / "data" / "label" / "1/2/2012/bare.txt").mkdir()
    table = compcars.list_web(tree).set_index("Path")
    assert table.loc["1/2/2012/bare.JPG", "Problem"].startswith("label file cannot be read: ")


def test_a_name_that_is_not_utf8_is_recorded(tree):
    try:
        touch(tree / "data" / "image" / "1/2/2012" / os.fsdecode(b"\xff.jpg"))
    except (OSError, UnicodeError):
        pytest.skip("this file system has only Unicode names")
    problems = compcars.list_web(tree).set_index("Path")["Problem"]
    assert problems["1/2/2012/\ufffd.jpg"] == "label file not found"
    assert "".join(problems.index).isprintable()


class TestSurveillanceOddities:
    @pytest.fixture
    def root(self, tmp_path):
        rows = np.empty((3, 3), dtype=object)
        empty = np.zeros((0, 0), np.uint8)
        rows[0] = [np.array(["Audi "]), np.array(["Q5"]), np.array([[200]], np.uint8)]
        rows[1] = [np.array(["BWM"]), np.array(["丰田X1"]), np.array([[1790]], np.uint16)]
        rows[2] = [np.array(["Nameless"]), empty, empty]
        tree = tmp_path / "sv_data"
        for path in (
            "1/a.jpg",
            "2/b.jpg",
            "3/c.jpg",
            "4/d.jpg",
            "0/e.jpg",
            "x/f.jpg",
            "2/Thumbs.db",
        ):
            touch(tree / "image" / path)
        savemat(tree / "sv_make_model_name.mat", {"sv_make_model_name": rows})
        (tree / "test_surveillance.txt").write_bytes(b"1/a.jpg\r\n2/gone.jpg\n\n")
        return tmp_path

    def test_rows(self, root):
        table = compcars.list_surveillance(root).set_index("Path")
        assert table["Class"].loc[["1/a.jpg", "2/b.jpg", "3/c.jpg"]].tolist() == [200, 1790, -1]
        assert table.loc["1/a.jpg", "MakeName"] == "Audi"
        assert table.loc["2/b.jpg", "ModelName"] == "丰田X1"
        assert pd.isna(table.loc["3/c.jpg", "ModelName"])
        for path in ("0/e.jpg", "4/d.jpg", "x/f.jpg"):
            assert "not a row of sv_make_model_name.mat" in table.loc[path, "Problem"]
            assert pd.isna(table.loc[path, "Class"])

    def test_a_listed_file_that_does_not_exist(self, root):
        table = compcars.list_surveillance(root).set_index("Path")
        assert table.loc["2/gone.jpg", ["List", "Problem"]].tolist() == ["test", "file not found"]
        assert table["List"].value_counts().to_dict() == {"": 5, "test": 2}
        assert len(table) == 7

    def test_a_list_with_a_byte_order_mark(self, root):
        (root / "sv_data" / "test_surveillance.txt").write_bytes(b"\xef\xbb\xbf1/a.jpg\r\n")
        table = compcars.list_surveillance(root).set_index("Path")
        assert table["List"].to_dict()["1/a.jpg"] == "test"
        assert len(table) == 6

    def test_a_list_that_is_not_text(self, root):
        (root / "sv_data" / "test_surveillance.txt").write_bytes(b"\xff\xfe1\0")
        with pytest.raises(ValueError, match=r"test_surveillance\.txt is not .* UTF-8"):
            compcars.list_surveillance(root)

    @pytest.mark.parametrize(
        "row", [("a", "b"), ("a", "b", "x"), ("a", "b", np.nan), ("a", "b", [1, 2])]
    )
    def test_a_row_that_is_not_make_model_id_names_the_file(self, root, row):
        mat = root / "sv_data" / "sv_make_model_name.mat"
        cells = np.empty((1, len(row)), dtype=object)
        cells[0] = [np.array(cell) for cell in row]
        savemat(mat, {"sv_make_model_name": cells})
        with pytest.raises(ValueError, match=r"sv_make_model_name\.mat: cannot read"):
            compcars.read_surveillance_names(mat)

    @pytest.mark.parametrize("id_", [0, -1, 2**64 - 1])
    def test_an_id_that_is_none(self, root, id_):
        mat = root / "sv_data" / "sv_make_model_name.mat"
        cells = np.empty((1, 3), dtype=object)
        cells[0] = [np.array(["a"]), np.array(["b"]), np.array([[id_]])]
        savemat(mat, {"sv_make_model_name": cells})
        assert compcars.read_surveillance_names(mat)["Class"].tolist() == [-1]


@pytest.mark.parametrize("content", [b"", b"x" * 500, None])
def test_a_damaged_mat_file_is_named(tmp_path, content):
    file = tmp_path / "make_model_name.mat"
    good = (SAMPLE / "data" / "misc" / "make_model_name.mat").read_bytes()
    file.write_bytes(good[:1000] if content is None else content)
    with pytest.raises(ValueError, match=r"make_model_name\.mat: cannot read make_names") as error:
        compcars.read_names(file)
    assert error.value.__cause__ is None  # a cause would hide the file's name from the user


def test_a_mat_file_with_other_variables(tmp_path):
    savemat(tmp_path / "m.mat", {"a": 1})
    with pytest.raises(ValueError, match=r"m\.mat: cannot read sv_make_model_name"):
        compcars.read_surveillance_names(tmp_path / "m.mat")


def test_a_missing_mat_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.mat does not exist"):
        compcars.read_names(tmp_path / "none.mat")
