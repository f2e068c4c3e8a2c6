import numpy as np
import pytest
from kedro.io import MemoryDataset, Version

from car_retrieval.datasets.checkpoints import COMPLETE, CheckpointsDataset
from car_retrieval.datasets.matrix import MatrixDataset
from car_retrieval.prune import delete, old_versions, size_of

ANY = Version(None, None)


@pytest.fixture
def dataset(tmp_path):
    path = str(tmp_path / "m.npy")
    for number in (2, 4, 1, 3):
        version = Version(f"v{number}", f"v{number}")
        MatrixDataset(filepath=path, version=version).save(np.arange(number))
    return MatrixDataset(filepath=path, version=ANY)


@pytest.mark.parametrize(("keep", "gone"), [(1, [1, 2, 3]), (3, [1]), (4, []), (9, [])])
def test_the_newest_are_kept(dataset, tmp_path, keep, gone):
    folders = old_versions([dataset], keep)
    assert folders == [tmp_path / "m.npy" / f"v{number}" for number in gone]
    delete(folders)
    left = [path.name for path in sorted((tmp_path / "m.npy").iterdir())]
    assert left == [f"v{number}" for number in range(1, 5) if number not in gone]
    assert len(dataset.load()) == 4


def test_what_has_no_versions_is_left_alone(tmp_path):
    single = MatrixDataset(filepath=str(tmp_path / "single.npy"))
    single.save(np.arange(3))
    none = MatrixDataset(filepath=str(tmp_path / "none.npy"), version=ANY)
    assert old_versions([single, none, MemoryDataset(1)], 1) == []


def test_crashed_runs_do_not_push_out_complete_ones(tmp_path):
    for version in ("v1", "v2", "v3", "v4"):
        folder = tmp_path / "c" / version / "c"
        folder.mkdir(parents=True)
        (folder / "model.ep0").touch()
        if version < "v3":
            (folder / COMPLETE).touch()
    both = [
        CheckpointsDataset(str(tmp_path / "c"), version=ANY, partial=partial)
        for partial in (False, True)
    ]
    assert old_versions(both, 1) == [tmp_path / "c" / "v1", tmp_path / "c" / "v3"]


def test_size_of(dataset, tmp_path):
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert size_of(tmp_path) == sum(len(path.read_bytes()) for path in files)
