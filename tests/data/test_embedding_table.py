import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from kedro.io import DatasetError, Version

from car_retrieval.data import embedding_table as module
from car_retrieval.data.embedding_table import TableStream, embedding_table
from car_retrieval.datasets.parquet_table import ParquetTableDataset
from car_retrieval.io.matrix import Matrix, write_matrix

ROWS, LENGTH = 25, 6
PHOTOS = pd.DataFrame(
    {
        "Path": [f"{row % 3}/ä{row}.jpg" for row in range(ROWS)],
        "Index": range(ROWS),
        "Class": [2**62 + row % 4 for row in range(ROWS)],
    }
)
KNOWN = PHOTOS.assign(
    MakeName=["Audi", None, "VW", "Audi", "VW"] * 5,
    CarMake=pd.array([7, 8, 9, None, 11] * 5, dtype="Int64"),
    ModelName=["A4", "A4", None, "A3", "Golf"] * 5,
    Year=pd.array([2009, None, 2011, 2012, 2013] * 5, dtype="Int64"),
)


@pytest.fixture
def descriptors(tmp_path: Path) -> Matrix:
    values = np.random.default_rng(0).normal(size=(ROWS, LENGTH)).astype(np.float32)
    write_matrix(tmp_path / "d.npy", values)
    return Matrix(tmp_path / "d.npy")


@pytest.fixture
def dataset(tmp_path: Path) -> ParquetTableDataset:
    return ParquetTableDataset(str(tmp_path / "t.parquet"), Version(None, "v1"))


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_what_is_written_is_read_by_pandas_and_pyarrow(
    descriptors: Matrix, dataset: ParquetTableDataset, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GROUP_BYTES", rows * 4 * LENGTH)
    dataset.save(embedding_table(KNOWN, descriptors, {"encoder": '{"arch": "resnet18"}'}))
    read = pd.read_parquet(dataset.load_path)
    assert list(read) == ["Index", "Path", "Class", "Make", "Model", "Year", "Descriptor"]
    np.testing.assert_array_equal(np.stack(read["Descriptor"]), descriptors[:])
    for name in ("Index", "Path", "Class"):
        assert read[name].tolist() == PHOTOS[name].tolist()
    assert read["Make"].tolist() == ["Audi", "8", "VW", "Audi", "VW"] * 5
    models, years = (read[name].head(5).astype(object) for name in ("Model", "Year"))
    assert models.where(models.notna(), None).tolist() == ["A4", "A4", None, "A3", "Golf"]
    assert years.where(years.notna(), None).tolist() == [2009, None, 2011, 2012, 2013]

    file = pa.parquet.ParquetFile(dataset.load_path)
    assert file.num_row_groups == -(-ROWS // rows)
    assert file.schema_arrow.field("Descriptor").type == pa.list_(pa.float32(), LENGTH)
    assert file.schema_arrow.metadata[b"encoder"] == b'{"arch": "resnet18"}'
    assert dataset.load().to_table(columns=["Index"]).num_rows == ROWS


def test_photos_of_which_nothing_else_is_known(
    descriptors: Matrix, dataset: ParquetTableDataset
) -> None:
    dataset.save(embedding_table(PHOTOS, descriptors, {}))
    table = dataset.load().to_table()
    for name in ("Make", "Model", "Year"):
        assert table[name].null_count == ROWS
    assert table["Path"].to_pylist() == PHOTOS["Path"].tolist()
    shown = json.loads(dataset.preview())
    assert shown["rows"] == ROWS
    assert shown["Year"] == "int64"


def test_rows_are_read_as_they_are_written(
    descriptors: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GROUP_BYTES", 4 * 4 * LENGTH)
    read: list[int] = []
    plain = Matrix._read
    monkeypatch.setattr(
        Matrix, "_read", lambda self, rows: (read.append(len(rows)), plain(self, rows))[1]
    )
    stream = embedding_table(PHOTOS, descriptors, {})
    assert read == []
    next(stream.batches)
    next(stream.batches)
    assert read == [4, 4]


def test_a_stream_that_fails_leaves_nothing(tmp_path: Path, dataset: ParquetTableDataset) -> None:
    schema = pa.schema({"Index": pa.int64()})

    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"Index": [1, 2]}, schema=schema)
        raise OSError("no space left")

    with pytest.raises(DatasetError, match="no space left"):
        dataset.save(TableStream(schema, batches()))
    assert not list((tmp_path / "t.parquet").iterdir())


def test_without_the_extra(descriptors: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"pip install -e '\.\[export\]'"):
        embedding_table(PHOTOS, descriptors, {})
