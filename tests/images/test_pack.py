import threading

import numpy as np
import pytest

from car_retrieval.images.crop import Box
from car_retrieval.images.decode import UnreadableImageError, decode
from car_retrieval.images.letterbox import centre, letterbox
from car_retrieval.images.pack import Packing, pack

SIZE = 32


@pytest.fixture(scope="module")
def files(encode, smooth) -> dict[str, bytes]:
    shapes = [(60 + 7 * i, 90 + 11 * (i % 5)) for i in range(11)]
    return {f"{i}.jpg": encode(smooth(*shape)) for i, shape in enumerate(shapes)}


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("block", [1, 3, 11, 256])
def test_blocks_are_the_pictures_one_by_one_in_order(files, workers, block):
    paths = sorted(files, reverse=True)
    blocks = list(pack(files, paths, None, Packing(SIZE, "gaussian"), workers, block))
    assert [len(b) for b in blocks] == [block] * (11 // block) + [11 % block] * (11 % block > 0)
    assert all(b.dtype == np.uint8 and b.flags.c_contiguous for b in blocks)
    alone = [letterbox(decode(files[path], 2 * SIZE).pixels, SIZE, "gaussian")[0] for path in paths]
    np.testing.assert_array_equal(np.concatenate(blocks), np.moveaxis(np.stack(alone), 3, 1))


def test_boxes_crop_and_nan_keeps_the_frame(files):
    paths = ["0.jpg", "1.jpg", "2.jpg"]
    boxes = np.array([[11, 5, 60, 40], [np.nan] * 4, [1, 1, 40, 20]])
    (packed,) = pack(files, paths, boxes, Packing(SIZE, "mean"), 2)
    for row, box in enumerate([Box(11, 5, 60, 40), None, Box(1, 1, 40, 20)]):
        pixels = decode(files[paths[row]], 2 * SIZE, box).pixels
        expected, _ = letterbox(pixels, SIZE, "mean")
        np.testing.assert_array_equal(packed[row], expected.transpose(2, 0, 1))


def test_a_box_is_not_decoded_too_small(encode, smooth):
    """A box of 1/8 of a big picture keeps its own detail: no shrinking before it is cut out."""
    picture = smooth(800, 800)
    (packed,) = pack(
        {"a": encode(picture)}, ["a"], np.array([[1, 1, 100, 100]]), Packing(64, "black"), 1
    )
    exact, _ = letterbox(picture[:100, :100], 64, "black")
    assert np.abs(packed[0].transpose(1, 2, 0) - exact.astype(int)).mean() < 1.5


def test_nothing_to_pack():
    (block,) = pack({}, [], None, Packing(SIZE, "black"), 2)
    assert block.shape == (0, 3, SIZE, SIZE)


@pytest.mark.parametrize(
    ("data", "reason"), [(b"no picture", "it is not a picture"), (None, "file not found")]
)
def test_a_bad_file_is_named(files, data, reason):
    bad = files | ({"bad/5.jpg": data} if data else {})
    with pytest.raises(UnreadableImageError, match=f"^bad/5.jpg: {reason}"):
        list(pack(bad, ["1.jpg", "bad/5.jpg", "2.jpg"], None, Packing(SIZE, "black"), 2))


def test_a_box_outside_its_picture_is_named(files):
    with pytest.raises(UnreadableImageError, match=r"^1\.jpg: the box 500 1 600 9 holds no pixel"):
        list(pack(files, ["1.jpg"], np.array([[500.0, 1, 600, 9]]), Packing(SIZE, "black"), 1))


def test_files_are_read_by_the_workers(files):
    readers = set()

    class Watched(dict):
        def __getitem__(self, key: str) -> bytes:
            readers.add(threading.current_thread())
            return super().__getitem__(key)

    list(pack(Watched(files), list(files), None, Packing(SIZE, "black"), 2))
    assert threading.current_thread() not in readers
    assert len(readers) <= 2


def test_the_centre_is_cut_out_instead_of_letterboxing(files):
    packing = Packing(SIZE, "black", interpolation="bilinear", centre=0.8)
    (packed,) = pack(files, ["3.jpg"], None, packing, 1)
    pixels = decode(files["3.jpg"], 2 * SIZE).pixels
    expected = centre(pixels, SIZE, 0.8, "bilinear")
    np.testing.assert_array_equal(packed[0], expected.transpose(2, 0, 1))
