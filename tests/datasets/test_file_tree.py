import pytest
from kedro.io import DatasetError
from tests.conftest import link

from car_retrieval.datasets.file_tree import MARKER, FileTreeDataset


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "raw" / "tree"


@pytest.fixture
def dataset(folder):
    return FileTreeDataset(filepath=str(folder))


def content_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MARKER
    }


def test_saved_files_are_found_where_load_says(dataset, folder):
    files = {"a.txt": b"one", "deep/er/b.bin": bytes(range(256)), ".DS_Store": b""}
    dataset.save(iter(files.items()))
    assert dataset.load() == folder
    assert content_of(folder) == files


def test_save_replaces_what_an_earlier_save_wrote(dataset, folder):
    dataset.save([("old.txt", b"1"), ("both.txt", b"1")])
    dataset.save([("new.txt", b"2"), ("both.txt", b"2")])
    assert content_of(folder) == {"new.txt": b"2", "both.txt": b"2"}
    assert [path.name for path in folder.parent.iterdir()] == ["tree"]


def test_empty_stream_makes_an_empty_tree(dataset, folder):
    dataset.save([])
    assert content_of(folder) == {}
    assert dataset.exists()


def test_an_empty_folder_may_be_replaced(dataset, folder):
    folder.mkdir(parents=True)
    dataset.save([("a", b"1")])
    assert content_of(folder) == {"a": b"1"}


@pytest.mark.parametrize("saved_before", [False, True])
def test_failure_leaves_everything_as_it_was(dataset, folder, saved_before):
    def stream():
        yield "new.txt", b"2"
        raise RuntimeError("no more paint")

    if saved_before:
        dataset.save([("old.txt", b"1")])
    with pytest.raises(DatasetError, match="no more paint"):
        dataset.save(stream())
    assert content_of(folder) == ({"old.txt": b"1"} if saved_before else {})
    assert [path.name for path in folder.parent.iterdir()] == (["tree"] if saved_before else [])


def test_left_over_of_a_killed_save_is_cleared(dataset, folder):
    part = folder.with_name(".tree.part")
    part.mkdir(parents=True)
    (part / MARKER).touch()
    (part / "half.txt").touch()
    dataset.save([("a", b"1")])
    assert content_of(folder) == {"a": b"1"}
    assert not part.exists()


@pytest.mark.parametrize("name", ["tree", ".tree.part", ".tree.old"])
def test_foreign_folder_is_never_replaced(dataset, folder, name):
    foreign = folder.with_name(name)
    foreign.mkdir(parents=True)
    (foreign / "thesis.doc").write_bytes(b"ten years")
    with pytest.raises(DatasetError, match="not replaced"):
        dataset.save([("a", b"1")])
    assert (foreign / "thesis.doc").read_bytes() == b"ten years"


def test_link_and_file_are_not_replaced(tmp_path):
    own = FileTreeDataset(filepath=str(tmp_path / "own"))
    own.save([("a", b"1")])
    link(tmp_path / "link", tmp_path / "own")
    (tmp_path / "file").write_bytes(b"1")
    for name in ("link", "file"):
        with pytest.raises(DatasetError, match="not replaced"):
            FileTreeDataset(filepath=str(tmp_path / name)).save([("b", b"2")])
    assert content_of(tmp_path / "own") == {"a": b"1"}


@pytest.mark.parametrize(
    "path", ["../a", "/a", "a/../../b", "", ".", "..\\a", "C:/a", MARKER, "a/.."]
)
def test_paths_that_leave_the_folder_are_refused(dataset, folder, path):
    with pytest.raises(DatasetError, match="not a relative file path"):
        dataset.save([("fine", b""), (path, b"1")])
    assert not folder.exists()


def test_a_path_that_comes_twice_is_refused(dataset, folder):
    with pytest.raises(DatasetError, match="duplicate path 'a'"):
        dataset.save([("a", b"1"), ("a", b"2")])
    assert not folder.exists()


def test_load_before_save_says_so(dataset):
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="does not exist; save it first"):
        dataset.load()
