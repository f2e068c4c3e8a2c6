from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, DatasetError

from car_retrieval.data import compcars
from car_retrieval.data.fingerprint import digest
from car_retrieval.datasets.photo_lists import (
    IndexedPhotosDataset,
    SurveillanceNatureDataset,
    WebNatureDataset,
    read_index,
)
from car_retrieval.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "01_raw" / "sample"


@pytest.fixture
def index(tmp_path):
    """Writes lines below the header to a CSV."""

    def write(*lines, header="Path,Index,Class"):
        file = tmp_path / "indexinfo.csv"
        file.write_text("\n".join([header, *lines, ""]))
        return file

    return write


def test_rows_are_ordered_by_index(index):
    table = read_index(index("b/1.jpg, 1 ,7", "a.jpg,0,-3", '"c, d.jpg",9,+7'))
    assert table.to_dict("list") == {
        "Path": ["a.jpg", "b/1.jpg", "c, d.jpg"],
        "Index": [0, 1, 9],
        "Class": [-3, 7, 7],
    }
    assert (table["Index"].dtype, table["Class"].dtype) == (np.int64, np.int64)


def test_paths_stay_text(index):
    table = read_index(index("007,0,1", "NA,1,1", "1e5,2,1"))
    assert table["Path"].tolist() == ["007", "NA", "1e5"]


def test_integers_of_64_bits_are_exact(index):
    most, least = 2**63 - 1, -(2**63)
    table = read_index(index(f"a,{most},{least}", f"b,{most - 1},{most}"))
    assert table["Index"].tolist() == [most - 1, most]
    assert table["Class"].tolist() == [most, least]


def test_integers_as_pandas_writes_them_beside_a_missing_one(index):
    rows = ("a,0,17.0,2010.0", "..b/c,1,4.,")
    table = read_index(index(*rows, header="Path,Index,Class,Year"))
    assert table["Class"].tolist() == [17, 4]
    assert table["Year"][0] == 2010
    assert pd.isna(table["Year"][1])


def test_known_columns_become_integers_and_others_stay_text(index):
    file = index(
        *("a,0,1,4,,12,1,20,9,x", "b,1,1,,2012,3,,,,07"),
        header="Path,Index,Class,View Point,Year,x1,y1,x2,y2,Note",
    )
    table = read_index(file)
    assert table["View Point"].tolist() == [4, pd.NA]
    assert table["Year"].tolist() == [pd.NA, 2012]
    assert table["x1"].sum() == 15
    assert table["Note"].tolist() == ["x", "07"]
    assert {str(table[name].dtype) for name in ("View Point", "Year", "x1")} == {"Int64"}


@pytest.fixture
def saved(tmp_path):
    """Saves a table as a dataset of the project, and loads it again."""
    loader = OmegaConfigLoader(str(ROOT / "conf"), "independent", **CONFIG_LOADER_ARGS)

    def through(name, table):
        catalog = DataCatalog.from_config({**loader["catalog"]})
        config = catalog.config_resolver.resolve_pattern(name)
        config["filepath"] = str(tmp_path / f"{name}.csv")
        catalog = DataCatalog.from_config({name: config}, save_version="v1")
        catalog.save(name, table)
        return catalog.load(name)

    return through


@pytest.mark.parametrize("name", ["gallery_photos", "rear_photos", "query_photos", "split"])
def test_names_stay_text_in_every_table_of_photos(index, saved, name):
    lines = [
        *("NA,0,0,,0001,2010,NA,", "None,1,1,null,3.0,,nan,", "1e5,2,2,911,NA,2012,0007,"),
        *("x,3,3,nan,None,,a,", "y,4,4,A,null,,,"),
    ]
    header = "Path,Index,Class,MakeName,ModelName,Year,Hash,Note"
    written = read_index(index(*lines, header=header.replace("Hash", "hash"))).rename(
        columns={"hash": "Hash"}
    )
    table = saved(name, written)
    assert table["MakeName"].fillna("").tolist() == ["", "null", "911", "nan", "A"]
    assert table["ModelName"].tolist() == ["0001", "3.0", "NA", "None", "null"]
    assert table["Path"].tolist() == ["NA", "None", "1e5", "x", "y"]
    assert table["Year"].tolist() == [2010, pd.NA, 2012, pd.NA, pd.NA]
    assert table["MakeName"].isna().tolist() == [True, *[False] * 4]
    assert table["Note"].isna().all()
    columns = ["Path", "Hash", "MakeName", "ModelName"]
    assert digest(table) == digest(written)
    assert digest(table, columns) == digest(written, columns)


def test_names_stay_text_in_confusions(saved):
    written = pd.DataFrame(
        {"Class": [0, 1], "Name": ["0001", "NA"], "Found name": ["None", "7"], "Similarity": 0.5}
    )
    pd.testing.assert_frame_equal(saved("test_all_confusions", written), written)


def test_no_rows(index):
    table = read_index(index())
    assert table.empty
    assert table["Class"].dtype == np.int64


def test_a_byte_order_mark_and_windows_line_ends(tmp_path):
    file = tmp_path / "i.csv"
    file.write_bytes("\ufeffPath,Index,Class\r\nä.jpg,0,1\r\n".encode())
    assert read_index(file)["Path"].tolist() == ["ä.jpg"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a,0,1", "b,1.5,1"], "line 3, Index: '1.5' is not an integer"),
        (["a,0,x"], "line 2, Class: 'x' is not an integer"),
        (["a,0,", "b,1,1"], "line 2, Class: '' is not an integer"),
        (["a,0,1", "b,1,1", "c,2,1e3"], "line 4, Class: '1e3' is not an integer"),
        (["a,0,9223372036854775808"], "line 2, Class: '9223372036854775808' exceeds 64"),
        (["a,0,1", "b,-1,1"], "line 3, Index: '-1' is negative"),
        (["a,5,1", "b,5,1"], "line 3, Index: '5' is a duplicate"),
        (["a,0,1", "a,1,1", "a,2,1"], r"line 3, Path: 'a' is a duplicate.* \(2 such rows\)"),
        (["b/a,0,1", "./c/../b/a,1,1"], "line 3, Path: './c/../b/a' is a duplicate"),
        (["a,0,1", "/etc/a,1,1"], "line 3, Path: '/etc/a' is outside"),
        (["C:/a,0,1"], "line 2, Path: 'C:/a' is outside"),
        (["a,0,1", "b/../../a,1,1"], r"line 3, Path: 'b/../../a' is outside"),
        ([" ,0,1"], "line 2, Path: ' ' is empty"),
        (["a,0,1", "b\\c.jpg,1,1"], r"line 3, Path: 'b\\c.jpg' has a backslash"),
    ],
)
def test_a_bad_row_is_named(index, lines, message):
    file = index(*lines)
    with pytest.raises(ValueError, match=f"{file}, {message}"):
        read_index(file)


def test_more_fields_than_columns(index):
    file = index("a,0,1,9")
    with pytest.raises(ValueError, match=rf"{file}.* more fields"):
        read_index(file)
    file = index("a,0,1", "b,1,1,9")
    with pytest.raises(ValueError, match=rf"{file} cannot be read as CSV"):
        read_index(file)


@pytest.mark.parametrize("header", ["Path,Index", "path,Index,Class", "Path;Index;Class"])
def test_a_missing_column(index, header):
    with pytest.raises(ValueError, match=r"indexinfo\.csv: no column"):
        read_index(index(header=header))


def test_a_missing_column_names_what_there_is(index):
    with pytest.raises(ValueError, match=r"no column Index; .* 'Path', ' Index', ' Class'$"):
        read_index(index(header="Path, Index, Class"))


@pytest.mark.parametrize("name", ["Hash", "Width", "Height", "Problem"])
def test_a_column_name_that_is_taken(index, name):
    file = index("a,0,1,x", header=f"Path,Index,Class,{name}")
    with pytest.raises(ValueError, match=rf"{file}: the column name {name} .*rename it"):
        read_index(file)


def test_half_a_box(index):
    file = index("a,0,1,5", header="Path,Index,Class,x1")
    with pytest.raises(ValueError, match=rf"{file}: no column y1; a box needs x1, y1"):
        read_index(file)


def test_another_encoding_says_which_is_meant(tmp_path):
    file = tmp_path / "i.csv"
    file.write_bytes("Path,Index,Class\nä.jpg,1,2\n".encode("latin-1"))
    with pytest.raises(ValueError, match=rf"{file} .*save it as UTF-8"):
        read_index(file)


@pytest.mark.parametrize("content", [b"", b"Path,Index,Class\n\xe9,1,2\n"])
def test_not_a_csv(tmp_path, content):
    (tmp_path / "i.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"i\.csv cannot be read as CSV"):
        read_index(tmp_path / "i.csv")


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"i\.csv does not exist"):
        read_index(tmp_path / "i.csv")


class TestLabels:
    @pytest.fixture
    def load(self, index):
        file = index("a,4,7", "b,2,8", "c,0,9", "d,8,9")

        def chosen(labels):
            np.save(file.parent / "test.npy", labels)
            return IndexedPhotosDataset(filepath=str(file), labels="test.npy").load()

        return chosen

    @pytest.mark.parametrize("dtype", ["i8", "i4", "u8", ">i8"])
    def test_a_selection_ordered_by_index(self, load, dtype):
        table = load(np.array([[8, 9], [2, 8]], dtype))
        assert table["Path"].tolist() == ["b", "d"]

    def test_all_rows_without_labels(self, index):
        assert len(IndexedPhotosDataset(filepath=str(index("a,4,7", "b,2,8"))).load()) == 2

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (np.array([[8, 9], [3, 8]]), r"test\.npy, row 1: Index 3 is not in indexinfo\.csv"),
            (np.array([[8, 9], [2, 7]]), r"test\.npy, row 1: Class 7 of Index 2 .* 8 in indexinfo"),
            (np.array([[8, 9], [2, 8], [8, 9]]), r"test\.npy: duplicate Index 8"),
            (np.array([8, 9]), r"test\.npy: expected integers \[n, 2\].* found int64 \[2\]"),
            (np.array([[8.0, 9.0]]), r"test\.npy: expected integers"),
            (np.array([[8, 9, 1]]), r"test\.npy: expected integers"),
            (np.array([[8, 9]], dtype=object), r"test\.npy cannot be read.* [Oo]bject"),
        ],
    )
    def test_labels_that_do_not_fit(self, load, labels, message):
        with pytest.raises(DatasetError, match=message) as error:
            load(labels)
        assert isinstance(error.value.__cause__, ValueError)

    def test_not_a_matrix_or_no_file(self, load, index):
        file = index("a,0,1")
        dataset = IndexedPhotosDataset(filepath=str(file), labels="test.npy")
        with pytest.raises((DatasetError, FileNotFoundError), match=r"test\.npy does not exist"):
            dataset.load()
        header = np.lib.format.magic(1, 0) + bytes([64, 0])
        huge = b"{'descr': '<i8', 'fortran_order': False, 'shape': (10000000000000, 2)}"
        for damaged in (b"hello", b"", header + b"{(".ljust(64), header[:-2] + b"\x80\0" +
                        huge.ljust(128)):  # fmt: skip
            (file.parent / "test.npy").write_bytes(damaged)
            with pytest.raises(DatasetError, match=r"test\.npy cannot be read"):
                dataset.load()


def test_compcars_trees():
    assert len(WebNatureDataset(filepath=str(SAMPLE)).load()) == 900
    pd.testing.assert_frame_equal(
        SurveillanceNatureDataset(filepath=str(SAMPLE)).load(), compcars.list_surveillance(SAMPLE)
    )


def test_lists_are_read_only(index):
    dataset = IndexedPhotosDataset(filepath=str(index()))
    assert dataset.exists()
    with pytest.raises(DatasetError, match="read-only"):
        dataset.save("x")
