import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.images.crop import Box, crop


def indexed(height: int, width: int) -> np.ndarray:
    """Every pixel holds its own row and column."""
    return np.stack([*np.mgrid[:height, :width], np.zeros((height, width))], -1).astype(np.uint8)


def test_one_based_inclusive():
    kept = crop(indexed(10, 8), Box(3, 1, 6, 10), 8, 10)
    assert kept[0, :, 1].tolist() == [2, 3, 4, 5]
    assert kept[:, 0, 0].tolist() == list(range(10))


def test_a_whole_frame_and_one_pixel():
    pixels = indexed(10, 8)
    assert (crop(pixels, Box(1, 1, 8, 10), 8, 10) == pixels).all()
    assert crop(pixels, Box(8, 10, 8, 10), 8, 10).tolist() == [[[9, 7, 0]]]


def test_of_a_picture_at_half_its_size():
    assert crop(indexed(5, 4), Box(3, 1, 6, 10), 8, 10)[0, :, 1].tolist() == [1, 2]
    assert crop(indexed(5, 4), Box(4, 1, 7, 10), 8, 10)[0, :, 1].tolist() == [1, 2, 3]


@given(st.data(), st.integers(1, 60), st.integers(1, 60), st.sampled_from([1, 2, 4, 8]))
def test_keeps_exactly_the_pixels_the_box_touches(data, height, width, denominator):
    x1, x2 = sorted(data.draw(st.tuples(*[st.integers(1, width)] * 2)))
    y1, y2 = sorted(data.draw(st.tuples(*[st.integers(1, height)] * 2)))
    h, w = -(-height // denominator), -(-width // denominator)
    kept = crop(indexed(h, w), Box(x1, y1, x2, y2), width, height)

    def touched(first: int, last: int, full: int, scaled: int) -> list[int]:
        # pixel i covers [i * full, (i + 1) * full) in units of 1 / scaled
        low, high = (first - 1) * scaled, last * scaled
        return [i for i in range(scaled) if i * full < high and (i + 1) * full > low]

    rows, columns = kept[:, 0, 0].tolist(), kept[0, :, 1].tolist()
    # a border that falls exactly between two pixels may be rounded either way
    for got, want in ((rows, touched(y1, y2, height, h)), (columns, touched(x1, x2, width, w))):
        assert set(want) <= set(got)
        assert len(got) <= len(want) + 1


def test_what_sticks_out_is_left_out():
    assert crop(indexed(10, 8), Box(-5, 8, 3, 99), 8, 10).shape == (3, 3, 3)


@pytest.mark.parametrize("box", [(9, 1, 12, 5), (1, 11, 4, 12), (-9, 1, 0, 5), (5, 1, 4, 5)])
def test_nothing_left_is_an_error(box):
    with pytest.raises(ValueError, match="holds no pixel of the picture of 8 x 10"):
        crop(indexed(10, 8), Box(*box), 8, 10)
