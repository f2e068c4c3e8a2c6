import hashlib

import pandas as pd
import pytest
from PIL import Image

from car_retrieval.images.decode import UnreadableImageError
from car_retrieval.images.inspect import inspect, inspect_all

COLUMNS = ["Path", "Width", "Height", "Hash", "DHash", "Truncated", "Problem"]


def test_size_is_full_and_upright(encode, smooth):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(smooth(60, 90), exif=exif)
    assert inspect(data)[:2] == (60, 90)
    assert inspect(data).digest == hashlib.blake2b(data, digest_size=16).hexdigest()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"kind": "PNG"}], ids=str)
def test_a_cut_off_picture_is_refused(encode, smooth, options):
    data = encode(smooth(60, 90), **options)
    with pytest.raises(UnreadableImageError):
        inspect(data[: len(data) // 2])


@pytest.mark.parametrize("workers", [1, 3])
def test_a_table_with_a_row_for_every_path(encode, smooth, workers):
    wide, tall = encode(smooth(20, 30)), encode(smooth(50, 10), "PNG")
    files = {"a/1.jpg": wide, "a/2.jpg": wide[:300], "b/1.png": tall, "b/copy.jpg": wide}
    paths = ["b/copy.jpg", "a/2.jpg", "gone.jpg", "b/1.png", "a/1.jpg"]
    table = inspect_all(files, paths, workers)
    assert list(table.columns) == COLUMNS
    assert table["Path"].tolist() == paths
    assert table["Width"].tolist() == [30, 0, 0, 10, 30]
    assert table["Height"].tolist() == [20, 0, 0, 50, 20]
    assert table["Hash"].str.len().tolist() == [32, 0, 0, 32, 32]
    assert table["Hash"].nunique() == 3
    assert table["DHash"].str.len().tolist() == [16, 0, 0, 16, 16]
    assert table["Hash"][0] == table["Hash"][4]
    assert table["Problem"].ne("").tolist() == [False, True, True, False, False]
    assert table["Problem"][2] == "file not found"
    assert table.dtypes[["Width", "Height"]].tolist() == ["int64", "int64"]


def test_nothing_to_inspect():
    table = inspect_all({}, [], 2)
    assert list(table.columns) == COLUMNS
    assert table.empty
    assert table["Width"].dtype == "int64"
    assert pd.api.types.is_string_dtype(table["Path"])
