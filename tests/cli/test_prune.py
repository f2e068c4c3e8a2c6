import subprocess
import sys

import numpy as np
import pytest
from kedro.io import MemoryDataset, Version
from tests.conftest import command, link

from car_retrieval.cli.prune import delete, prunable, size_of
from car_retrieval.datasets.checkpoints import COMPLETE, CheckpointsDataset
from car_retrieval.datasets.matrix import MatrixDataset
from car_retrieval.io.run_lock import lock_for_run, no_runs

ANY = Version(None, None)
KILLED = """
import os, sys
import numpy as np
from kedro.io import Version
from car_retrieval.datasets.matrix import MatrixDataset
from car_retrieval.io.matrix import MatrixStream

def blocks():
    yield np.zeros((3, 2))
    os._exit(9)  # as SIGKILL: nothing is cleaned up

MatrixDataset(sys.argv[1], Version("v9", "v9")).save(MatrixStream(blocks(), {"a": 1}))
"""


@pytest.fixture
def dataset(tmp_path):
    path = str(tmp_path / "m.npy")
    for number in (2, 4, 1, 3):
        version = Version(f"v{number}", f"v{number}")
        MatrixDataset(filepath=path, version=version).save(np.arange(number))
    return MatrixDataset(filepath=path, version=ANY)


@pytest.mark.parametrize(("keep", "gone"), [(1, [1, 2, 3]), (3, [1]), (4, []), (9, [])])
def test_the_newest_are_kept(dataset, tmp_path, keep, gone):
    folders = prunable({"m": dataset}, {}, keep)
    assert folders == [tmp_path / "m.npy" / f"v{number}" for number in gone]
    delete(folders)
    left = [path.name for path in sorted((tmp_path / "m.npy").iterdir())]
    assert left == [f"v{number}" for number in range(1, 5) if number not in gone]
    assert len(dataset.load()) == 4


def test_what_has_no_versions_is_left_alone(tmp_path):
    single = MatrixDataset(filepath=str(tmp_path / "single.npy"))
    single.save(np.arange(3))
    none = MatrixDataset(filepath=str(tmp_path / "none.npy"), version=ANY)
    assert prunable({"single": single, "none": none, "other": MemoryDataset(1)}, {}, 1) == []


def test_crashed_runs_do_not_push_out_complete_ones(tmp_path):
    for version in ("v1", "v2", "v3", "v4"):
        folder = tmp_path / "c" / version / "c"
        folder.mkdir(parents=True)
        (folder / "model.ep0").touch()
        if version < "v3":
            (folder / COMPLETE).touch()
    both = {
        name: CheckpointsDataset(str(tmp_path / "c"), version=ANY, partial=name == "previous")
        for name in ("checkpoints", "previous")
    }
    assert prunable(both, {}, 1) == [tmp_path / "c" / "v1", tmp_path / "c" / "v3"]


def test_size_of(dataset, tmp_path):
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert size_of(tmp_path) == sum(len(path.read_bytes()) for path in files)
    assert size_of(files[0]) == len(files[0].read_bytes())


def test_what_a_killed_run_left_is_no_version(dataset, tmp_path):
    matrix = tmp_path / "m.npy"
    run = subprocess.run([sys.executable, "-c", KILLED, str(matrix)], check=False)
    assert run.returncode == 9
    assert [path.name for path in (matrix / "v9").iterdir()] == ["m.npy.part"]
    (matrix / "v8").mkdir()  # killed before the first byte
    (matrix / "v7").mkdir()
    (matrix / "v7" / "m.npy.part").touch()
    (matrix / "v7" / "m.json").touch()  # killed between attributes and matrix
    found = prunable({"m": dataset}, {}, 2)
    assert found == [matrix / version for version in ("v1", "v2", "v7", "v8", "v9")]
    delete(found)
    assert sorted(path.name for path in matrix.iterdir()) == ["v3", "v4"]
    assert len(dataset.load()) == 4


def test_a_half_written_epoch_goes_and_the_epochs_before_it_stay(tmp_path):
    for version, names in {
        "v1": ["model.ep0", COMPLETE],
        "v2": ["model.ep0", "model.ep1.part"],
        "v3": ["model.ep0.part"],
    }.items():
        (tmp_path / "c" / version / "c").mkdir(parents=True)
        for name in names:
            (tmp_path / "c" / version / "c" / name).touch()
    both = {
        name: CheckpointsDataset(str(tmp_path / "c"), version=ANY, partial=name == "previous")
        for name in ("checkpoints", "previous")
    }
    found = prunable(both, {}, 1)
    assert found == [tmp_path / "c" / "v2" / "c" / "model.ep1.part", tmp_path / "c" / "v3"]
    delete(found)
    assert list(both["previous"].load()) == [0]


def test_a_part_in_an_old_version_is_deleted_once(dataset, tmp_path):
    (tmp_path / "m.npy" / "v1" / "x.part").touch()
    assert prunable({"m": dataset}, {}, 3) == [tmp_path / "m.npy" / "v1"]


@pytest.mark.parametrize(("keep", "gone"), [(1, ["photos/v1"]), (2, ["photos/v1"]), (4, [])])
def test_what_a_kept_version_was_made_of_is_kept(tmp_path, keep, gone):
    """Run v2 made all; run v4, killed early, only photos and images, and v5 photos."""
    made = {"photos": "1245", "images": "24", "vectors": "2", "other": "4"}
    datasets = {}
    for name, versions in made.items():
        path = str(tmp_path / name)
        for version in versions:
            MatrixDataset(path, Version(f"v{version}", f"v{version}")).save(np.arange(3))
        datasets[name] = MatrixDataset(path, version=ANY)
    made_of = {"images": {"photos", "params:x"}, "vectors": {"images"}}
    found = prunable(datasets, made_of, keep)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == gone


def test_nothing_is_pruned_during_a_run(project):
    lock = lock_for_run(project)
    pruned = command(project, "prune", "--keep=1")
    assert pruned.exit_code == 1
    assert "a run is in progress" in pruned.output
    other = lock_for_run(project)
    lock.release()
    other.release()
    assert command(project, "prune", "--keep=1").exit_code == 0
    with no_runs(project), pytest.raises(BlockingIOError, match="kedro prune"):
        lock_for_run(project)


def test_the_command_says_what_it_deletes_wherever_it_is_called(project, tmp_path_factory):
    outside = tmp_path_factory.mktemp("elsewhere") / "database.npy"
    (project / "conf" / "local" / "catalog.yml").write_text(
        "gallery_descriptors:\n  type: car_retrieval.datasets.matrix.MatrixDataset\n"
        "  versioned: true\n"
        f"  filepath: {outside.as_posix()}\n"
    )
    inside = project / "data" / "04_feature" / "sample" / "tdatabase.npy"
    for folder in (inside, outside):
        for version in ("v1", "v2"):
            MatrixDataset(folder.as_posix(), Version(version, version)).save(np.arange(3))
    (inside / "v3").mkdir()
    (inside / "v3" / "tdatabase.npy.part").write_bytes(bytes(3_000_000))
    (inside / "v2" / "x.part").touch()
    for options, verb in [["--dry-run"], "would delete"], [[], "deleting"]:
        assert (outside / "v1").exists()
        pruned = command(project / "data", "prune", "--keep=1", *options)
        assert pruned.exit_code == 0, pruned.output
        *lines, last = (line for line in pruned.stdout.splitlines() if line.startswith(verb[:5]))
        assert lines == [
            f"{verb} {inside / 'v2' / 'x.part'}, 0.0 MB",
            f"{verb} v1 of 2 datasets, 0.0 MB",
            f"{verb} v3 of 1 dataset, 3.0 MB",
        ]
        assert last == f"{verb.replace('deleting', 'deleted')} 3.0 MB in all"
    assert [path.name for path in (*inside.iterdir(), *outside.iterdir())] == ["v2", "v2"]


def test_what_is_deleted_is_said_before(tmp_path, project):
    """A folder that cannot be deleted was announced."""
    matrix = project / "data" / "04_feature" / "sample" / "database.npy"
    for version in ("v1", "v2"):
        MatrixDataset(matrix.as_posix(), Version(version, version)).save(np.arange(3))
    (matrix / "v1").rename(tmp_path / "moved")
    link(matrix / "v1", tmp_path / "moved")  # rmtree refuses links
    pruned = command(project, "prune", "--keep=1")
    assert pruned.exit_code == 1
    assert "deleting v1 of 1 dataset" in pruned.stdout
    assert "Error:" in pruned.stderr
    assert (tmp_path / "moved" / "database.npy").exists()
