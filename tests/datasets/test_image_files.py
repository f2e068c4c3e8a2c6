import pytest
from kedro.io import DatasetError

from car_retrieval.datasets.image_files import ImageFiles, ImageFilesDataset


@pytest.fixture
def root(tmp_path):
    for path in ("b/2.jpg", "a/1.jpg", "z.txt"):
        file = tmp_path / "data" / "image" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(path.encode())
    return tmp_path


def test_files_by_relative_path(root):
    files = ImageFiles(root / "data" / "image")
    assert list(files) == ["a/1.jpg", "b/2.jpg", "z.txt"]
    assert len(files) == 3
    assert files["b/2.jpg"] == b"b/2.jpg"
    assert "a/1.jpg" in files


@pytest.mark.parametrize("path", ["c.jpg", "a", "a/1.jpg/x"])
def test_no_such_file(root, path):
    with pytest.raises(KeyError, match=path):
        ImageFiles(root / "data" / "image")[path]


def test_a_name_that_no_file_can_have(root):
    with pytest.raises(KeyError):
        ImageFiles(root / "data" / "image")["a\0.jpg"]


def test_a_file_is_read_when_it_is_looked_up(root):
    files = ImageFiles(root / "data" / "image")
    (root / "data/image/a/1.jpg").write_bytes(b"new")
    assert files["a/1.jpg"] == b"new"


@pytest.mark.parametrize(("place", "tree"), [("", "data"), ("data", "data"), ("data/image", None)])
def test_the_root_is_the_tree_or_contains_it(root, place, tree):
    (root / "data" / "label").mkdir()
    dataset = ImageFilesDataset(filepath=str(root / place), tree=tree)
    assert dataset.exists()
    assert dataset.load()["a/1.jpg"] == b"a/1.jpg"


def test_home(root, monkeypatch):
    monkeypatch.setenv("HOME", str(root))
    assert len(ImageFilesDataset(filepath="~/data/image").load()) == 3


def test_no_folder(root):
    with pytest.raises((DatasetError, FileNotFoundError), match=r"none: this folder .* not exist"):
        ImageFilesDataset(filepath=str(root / "none")).load()
    with pytest.raises((DatasetError, FileNotFoundError), match="image and sv_make_model_name"):
        ImageFilesDataset(filepath=str(root), tree="sv_data").load()


def test_read_only(root):
    with pytest.raises(DatasetError, match="read-only"):
        ImageFilesDataset(filepath=str(root)).save({"a": b""})
