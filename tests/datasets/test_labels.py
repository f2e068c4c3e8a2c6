from pathlib import Path

import pandas as pd
import pytest

from car_retrieval.datasets.labels import LabelsDataset


@pytest.mark.parametrize("classes", [[], [7, -3, 2**62]])
def test_round_trip(tmp_path: Path, classes: list[int]) -> None:
    index = pd.Index(range(5, 5 + len(classes)), dtype="int64", name="Index")
    labels = pd.Series(classes, index=index, dtype="int64", name="Class")
    dataset = LabelsDataset(filepath=str(tmp_path / "folder" / "labels.csv"))
    assert not dataset.exists()
    dataset.save(labels)
    pd.testing.assert_series_equal(dataset.load(), labels)
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["labels.csv"]
