"""The enlarged gallery as evaluation reads it."""

import io
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.parameters import evaluation_params

from car_retrieval.gallery.enlarged import enlarged, enlarged_images
from car_retrieval.gallery.living import encoder_digest
from car_retrieval.gallery.record import GalleryRecord, Labels
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.images.pack import Packing
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.pipelines.searchers.nodes import compare_searchers
from car_retrieval.pipelines.splits import choose_sides

RNG = np.random.default_rng(5)
VECTORS = RNG.standard_normal((5, 4)).astype(np.float32)
PIXELS = RNG.integers(0, 256, (5, 3, 8, 8), np.uint8)
PACKING = Packing(8, "black")


@pytest.fixture
def store(tmp_path: Path) -> GalleryStore:
    return GalleryStore(tmp_path / "gallery.sqlite")


@pytest.fixture
def descriptors(tmp_path: Path) -> Matrix:
    write_matrix(tmp_path / "d.npy", MatrixStream([VECTORS], {"encoder": {"weights": "w"}}))
    return Matrix(tmp_path / "d.npy")


@pytest.fixture
def images(tmp_path: Path) -> Matrix:
    write_matrix(tmp_path / "i.npy", MatrixStream([PIXELS], {"packing": asdict(PACKING)}))
    return Matrix(tmp_path / "i.npy")


def photos() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Path": [f"{row}.jpg" for row in range(5)],
            "Index": np.arange(5),
            "Class": np.arange(5) % 2,
            "Hash": [f"{row:032x}" for row in range(5)],
        }
    )


def change(store: GalleryStore) -> np.ndarray:
    """Remove photo 1, add a photo of class 1, one without a class and one of another encoder."""
    encoder = encoder_digest({"weights": "w"})
    store.remove([GalleryRecord("1.jpg", "")])
    added = RNG.standard_normal((3, 4)).astype(np.float32)
    new = [GalleryRecord(f"n{n}.jpg", f"n{n}", Labels("1" if n == 0 else None)) for n in range(3)]
    store.put(new[:2], added[:2], encoder)
    store.put(new[2:], added[2:], "other")
    return np.concatenate([VECTORS[[0, 2, 3, 4]], added[:1]])


def test_without_changes_nothing_is_new(
    store: GalleryStore, descriptors: Matrix, images: Matrix
) -> None:
    table = photos()
    assert enlarged(descriptors, table, store) == (descriptors, table)
    assert enlarged_images(images, table, {}, table.copy()) is images


def test_rows_are_those_of_the_table(store: GalleryStore, descriptors: Matrix) -> None:
    expected = change(store)
    matrix, table = enlarged(descriptors, photos(), store)
    assert table["Path"].tolist() == ["0.jpg", "2.jpg", "3.jpg", "4.jpg", "n0.jpg"]
    assert table["Class"].tolist() == [0, 0, 1, 0, 1]
    assert table["Index"].tolist() == list(range(5))
    assert table["Class"].dtype == np.int64
    assert len(matrix) == matrix.shape[0] == 5
    np.testing.assert_array_equal(matrix[:], expected)
    order = np.array([4, 0, 4, 2, 3])
    np.testing.assert_array_equal(matrix[order], expected[order])
    np.testing.assert_array_equal(matrix[4], expected[4])
    np.testing.assert_array_equal(np.concatenate(list(matrix.blocks(2))), expected)
    np.testing.assert_array_equal(matrix.mapped(), expected)
    assert matrix.attributes == descriptors.attributes
    assert not matrix.is_same(descriptors)
    assert not descriptors.is_same(matrix)
    assert matrix.is_same(matrix)


def test_added_photos_are_packed_when_read(
    store: GalleryStore, descriptors: Matrix, images: Matrix
) -> None:
    change(store)
    red = io.BytesIO()
    Image.new("RGB", (20, 20), (255, 0, 0)).save(red, "PNG")
    _, table = enlarged(descriptors, photos(), store)
    seen = enlarged_images(images, photos(), {"n0.jpg": red.getvalue()}, table)
    np.testing.assert_array_equal(seen[1], PIXELS[2])
    np.testing.assert_array_equal(seen[4][:, 4, 4], [255, 0, 0])
    store.remove([GalleryRecord("2.jpg", "")])
    np.testing.assert_array_equal(seen[1], PIXELS[2], "a later change does not move the rows")
    assert seen[np.array([4, 0])].shape == (2, 3, 8, 8)


def test_the_kept_index_has_the_rows_of_the_run(tmp_path: Path, store: GalleryStore) -> None:
    vectors = RNG.standard_normal((40, 4)).astype(np.float32)
    write_matrix(tmp_path / "g.npy", MatrixStream([vectors], {"encoder": {"weights": "w"}}))
    run, table = Matrix(tmp_path / "g.npy"), pd.concat([photos()] * 8, ignore_index=True)
    table = table.assign(Path=[f"{row}.jpg" for row in range(40)], Index=range(40))
    store.remove([GalleryRecord("0.jpg", "")])
    new = [GalleryRecord("n1.jpg", "n1", Labels("1")), GalleryRecord("n2.jpg", "n2", Labels("1"))]
    store.put(new, vectors[:2], encoder_digest({"weights": "w"}))
    searched, changed = enlarged(run, table, store)
    assert len(searched) == 41
    lopq = {"kind": "lopq", "coarse": 2, "splits": 1, "subquantisers": 4}
    params = evaluation_params(searchers={"lopq": lopq})
    labels = changed.set_index("Index")["Class"]
    signed = compare_searchers(run, searched, table["Class"], labels, run, params)[2]
    assert len(signed.index) == 40
    hits, _ = signed.index.search(vectors, 1)
    assert hits[:, 0].tolist() == list(range(40))


def test_queries_that_joined_the_gallery_are_warned_of(
    store: GalleryStore, descriptors: Matrix, caplog: pytest.LogCaptureFixture
) -> None:
    queries = photos().iloc[:2].assign(Hash=["n0", "q"])
    sides = descriptors, photos(), descriptors, queries, store, evaluation_params()
    choose_sides(*sides)
    assert not caplog.records
    change(store)
    choose_sides(*sides)
    assert "1 of 2 query photos were added to the gallery since the run" in caplog.text
