import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from car_retrieval.io.matrix import Matrix, MatrixStream, attributes_path, write_matrix

DTYPES = st.sampled_from(["u1", "i8", "f4", ">f8", "?", "c8", "U3", "M8[s]"])
ROWS = np.arange(24, dtype=np.int64).reshape(6, 2, 2)


@st.composite
def arrays(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
    values = draw(hnp.arrays(np.uint8, shape))
    return values.astype("i8").astype(draw(DTYPES))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "folder" / "m.npy"


@pytest.fixture
def matrix(file):
    write_matrix(file, ROWS)
    return Matrix(file)


@given(array=arrays(), size=st.integers(1, 7))
def test_what_is_written_is_read(tmp_path_factory, array, size):
    file = tmp_path_factory.mktemp("m") / "m.npy"
    blocks = [array[start : start + size] for start in range(0, max(1, len(array)), size)]
    write_matrix(file, MatrixStream(iter(blocks)))
    read = np.load(file)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)
    matrix = Matrix(file)
    assert (matrix.shape, matrix.dtype, len(matrix)) == (array.shape, array.dtype, len(array))
    np.testing.assert_array_equal(matrix[:], array)
    np.testing.assert_array_equal(np.asarray(matrix), array)
    for part in (slice(1, 3), slice(None, None, -2), slice(4, 1), slice(-2, None)):
        np.testing.assert_array_equal(matrix[part], array[part])


@given(rows=st.lists(st.integers(-6, 5), max_size=9), size=st.integers(1, 4))
def test_any_rows_in_any_order(tmp_path_factory, rows, size):
    file = tmp_path_factory.mktemp("m") / "m.npy"
    write_matrix(file, ROWS)
    matrix = Matrix(file)
    chosen = np.array(rows, dtype=np.int64)
    np.testing.assert_array_equal(matrix[rows], ROWS[chosen])
    blocks = list(matrix.blocks(size, chosen))
    assert all(min(1, len(rows)) <= len(block) <= size for block in blocks)
    assert blocks
    np.testing.assert_array_equal(np.concatenate([ROWS[:0], *blocks]), ROWS[chosen])


@given(data=st.data(), count=st.integers(1, 40))
def test_runs_of_rows_among_single_ones(tmp_path_factory, data, count):
    file = tmp_path_factory.mktemp("m") / "m.npy"
    array = np.arange(3 * count, dtype=np.int32).reshape(count, 3)
    write_matrix(file, array)
    runs = data.draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(1, 9)), max_size=6))
    rows = np.concatenate([np.arange(0), *(np.arange(a, min(a + n, count)) for a, n in runs)])
    for chosen in (rows, rows[::-1], rows.astype(np.uint64), rows - count):
        found = Matrix(file)[chosen]
        np.testing.assert_array_equal(found, array[chosen.astype(np.int64)])
        assert found.flags.writeable


@pytest.mark.parametrize("rows", [slice(None), [5, 0, 0, 3], np.arange(6), 2])
def test_one_selection_opens_the_file_once(matrix, monkeypatch, rows):
    opened = []
    opening = Path.open

    def watched(path, *args, **kwargs):
        opened.append(path)
        return opening(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", watched)
    np.testing.assert_array_equal(matrix[rows], ROWS[rows])
    assert opened == [matrix.path]


def test_blocks_of_all_rows(matrix):
    assert [len(block) for block in matrix.blocks(4)] == [4, 2]
    np.testing.assert_array_equal(np.concatenate(list(matrix.blocks(4))), ROWS)


def test_one_row_is_an_array_without_the_row_axis(matrix):
    np.testing.assert_array_equal(matrix[2], ROWS[2])
    np.testing.assert_array_equal(matrix[-1], ROWS[-1])
    np.testing.assert_array_equal(matrix[np.int64(0)], ROWS[0])


@pytest.mark.parametrize("rows", [6, -7, [0, 6], np.array([-7])])
def test_a_row_that_is_not_there(matrix, rows):
    with pytest.raises(IndexError, match=r"row (6|-7) .* Matrix"):
        matrix[rows]


@pytest.mark.parametrize("rows", [np.ones(6, bool), [0.0, 1.5], 1.5, [[0, 1], [2, 3]]])
def test_rows_are_integers(matrix, rows):
    with pytest.raises(IndexError, match="indexed by integers"):
        matrix[rows]


def test_array_of_another_dtype(matrix):
    assert np.asarray(matrix, dtype=np.float32).dtype == np.float32


def failing():
    yield ROWS[:3]
    raise RuntimeError("in the midst")


def test_a_failed_stream_leaves_nothing(file):
    with pytest.raises(RuntimeError, match="in the midst"):
        write_matrix(file, MatrixStream(failing(), {"a": 1}))
    assert not file.parent.exists()


def test_a_failed_stream_leaves_the_neighbours_and_the_older_matrix(file):
    write_matrix(file, MatrixStream([ROWS], {"a": 1}))
    (file.parent / "other").touch()
    with pytest.raises(RuntimeError):
        write_matrix(file, MatrixStream(failing(), {"a": 2}))
    assert sorted(path.name for path in file.parent.iterdir()) == ["m.json", "m.npy", "other"]
    assert Matrix(file).attributes == {"a": 1}
    np.testing.assert_array_equal(Matrix(file)[:], ROWS)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([], r"m\.npy: no rows"),
        ([ROWS, ROWS.astype(float)], "float64"),
        ([ROWS, ROWS[:, 0]], r"\(2,\)"),
    ],
)
def test_blocks_that_do_not_fit(file, blocks, message):
    with pytest.raises(ValueError, match=message):
        write_matrix(file, MatrixStream(blocks))
    assert not file.parent.exists()


def test_attributes_lie_beside_the_matrix(file):
    write_matrix(file, MatrixStream([ROWS], {"scales": [0.5, 1], "name": "é"}))
    assert Matrix(file).attributes == {"scales": [0.5, 1], "name": "é"}
    assert json.loads(attributes_path(file).read_text())["scales"] == [0.5, 1]


def test_a_matrix_without_attributes_does_not_inherit_older_ones(file):
    write_matrix(file, MatrixStream([ROWS], {"a": 1}))
    write_matrix(file, ROWS)
    assert Matrix(file).attributes == {}


def test_attributes_that_are_not_json_leave_nothing(file):
    with pytest.raises(TypeError):
        write_matrix(file, MatrixStream([ROWS], {"a": object()}))
    assert not file.parent.exists()


@pytest.mark.parametrize("size", [0, 20, 100, 200])
def test_a_truncated_file_is_named(matrix, size):
    matrix.path.write_bytes(matrix.path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"m\.npy cannot be read as a matrix"):
        Matrix(matrix.path)


def test_a_file_truncated_after_opening_is_named(matrix):
    matrix.path.write_bytes(matrix.path.read_bytes()[:-8])
    np.testing.assert_array_equal(matrix[:5], ROWS[:5])
    with pytest.raises(ValueError, match=r"m\.npy is truncated"):
        matrix[5]
    with pytest.raises(ValueError, match=r"m\.npy is truncated"):
        matrix[[0, 4, 5]]


def test_other_files_are_refused(tmp_path):
    file = tmp_path / "m.npy"
    np.save(file, np.array([{}, None], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"m\.npy.*objects"):
        Matrix(file)
    np.save(file, np.asfortranarray(ROWS[:, :, 0]))
    with pytest.raises(ValueError, match="C-ordered"):
        Matrix(file)
    np.save(file, np.int64(3))
    with pytest.raises(ValueError, match="at least one axis"):
        Matrix(file)
    with file.open("wb") as stream:
        np.savez(stream, a=ROWS)
    with pytest.raises(ValueError, match=r"m\.npy cannot be read"):
        Matrix(file)
    file.write_text("hello")
    with pytest.raises(ValueError, match=r"m\.npy cannot be read"):
        Matrix(file)
    with pytest.raises(FileNotFoundError):
        Matrix(tmp_path / "none.npy")


def test_objects_are_not_written(file):
    with pytest.raises((ValueError, OSError)):
        write_matrix(file, np.array([{}], dtype=object))
    assert not file.parent.exists()
