"""Tables, JSON values and text: whole or not there, and the same bytes as Kedro's datasets."""

import os
import subprocess
import sys
from pathlib import Path

import kedro_datasets.json
import kedro_datasets.pandas
import kedro_datasets.text
import pandas as pd
import pytest
from kedro.io import DatasetError, Version

from car_retrieval.datasets import whole_file

OF_KEDRO = {
    "CSVDataset": kedro_datasets.pandas.CSVDataset,
    "JSONDataset": kedro_datasets.json.JSONDataset,
    "TextDataset": kedro_datasets.text.TextDataset,
}
DATA = {
    "CSVDataset": pd.DataFrame({"Name": ["Citroën", "a,b\n"], "Year": [2001, None]}),
    "JSONDataset": {"é": [1, 2.5, None]},
    "TextDataset": "Citroën\nzwei\n",
}


class Halfway:
    """A value that fails, or ends the process, when it is written."""

    def __init__(self, dies: bool = False) -> None:
        self.dies = dies

    def __str__(self) -> str:
        if self.dies:
            os._exit(9)  # as SIGKILL: nothing is cleaned up
        raise ValueError("no more room")


def dataset(kind: str, folder: Path, version: str | None) -> object:
    args = {"fs_args": {"open_args_save": {"encoding": "utf-8"}}} if kind == "TextDataset" else {}
    return getattr(whole_file, kind)(
        filepath=(folder / "x").as_posix(), version=Version(version, version), **args
    )


@pytest.mark.parametrize("kind", OF_KEDRO)
def test_files_are_those_of_kedro(kind: str, tmp_path: Path) -> None:
    ours = dataset(kind, tmp_path / "ours", "v1")
    ours.save(DATA[kind])
    OF_KEDRO[kind](filepath=(tmp_path / "theirs").as_posix()).save(DATA[kind])
    assert (tmp_path / "ours/x/v1/x").read_bytes() == (tmp_path / "theirs").read_bytes()
    loaded = dataset(kind, tmp_path / "ours", None).load()
    if kind == "CSVDataset":
        pd.testing.assert_frame_equal(loaded[["Name"]], DATA[kind][["Name"]])
    else:
        assert loaded == DATA[kind]
    assert [file.name for file in (tmp_path / "ours/x/v1").iterdir()] == ["x"]


BAD = {"CSVDataset": pd.DataFrame({"a": [*range(50_000), Halfway()]}), "JSONDataset": [1, {2}]}


@pytest.mark.parametrize("kind", BAD)
def test_a_failed_save_leaves_the_version_before_as_the_newest(kind: str, tmp_path: Path) -> None:
    dataset(kind, tmp_path, "v1").save(DATA[kind])
    with pytest.raises(DatasetError):
        dataset(kind, tmp_path, "v2").save(BAD[kind])
    assert not [
        file for file in (tmp_path / "x").rglob("*") if file.is_file() and "v2" in str(file)
    ]
    assert dataset(kind, tmp_path, None).resolve_load_version() == "v1"


def test_a_killed_save_leaves_the_version_before_as_the_newest(tmp_path: Path) -> None:
    dataset("CSVDataset", tmp_path, "v1").save(DATA["CSVDataset"])
    program = f"""
import pandas as pd
from pathlib import Path
from tests.datasets.test_whole_file import Halfway, dataset
table = pd.DataFrame({{"a": [*range(50_000), Halfway(dies=True)]}})
dataset("CSVDataset", Path({str(tmp_path)!r}), "v2").save(table)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], check=False, cwd=Path(__file__).parents[2]
    )
    assert run.returncode == 9
    assert [file.name for file in (tmp_path / "x/v2").iterdir()] == ["x.part"]
    assert dataset("CSVDataset", tmp_path, None).resolve_load_version() == "v1"
