from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from car_retrieval.images.letterbox import Fill, centre, content_rectangle, letterbox

SIDES = st.one_of(st.integers(1, 40), st.integers(1, 2500))
SIZES = st.one_of(st.integers(1, 48), st.sampled_from([111, 112, 223, 224, 225, 320]))


@given(SIDES, SIDES, SIZES)
@example(567, 800, 224)  # an odd scaled height: the reference system leaves a black seam
@example(567, 800, 225)  # an odd square: the reference system crashes
@example(222, 224, 223)  # one line short of a square
@example(1, 200, 224)
def test_geometry(height, width, size):
    top, left, rows, columns = content_rectangle(height, width, size)
    assert max(rows, columns) == size
    for side, place, start in ((height, rows, top), (width, columns, left)):
        exact = Fraction(side * size, max(height, width))
        assert place == max(1, round(exact))
        assert start == (size - place) // 2
        assert start + place + (size - place + 1) // 2 == size


@given(SIDES, SIDES, SIZES)
def test_portrait_is_the_transpose_of_landscape(height, width, size):
    top, left, rows, columns = content_rectangle(height, width, size)
    assert content_rectangle(width, height, size) == (left, top, columns, rows)


@pytest.mark.parametrize("sides", [(0, 5, 8), (5, 0, 8), (5, 5, 0)])
def test_nothing_has_no_place(sides):
    with pytest.raises(ValueError, match="cannot place"):
        content_rectangle(*sides)


@settings(max_examples=150)
@given(
    st.integers(1, 60), st.integers(1, 60), st.integers(1, 65), st.sampled_from(get_args(Fill)),
    st.tuples(*[st.integers(0, 255)] * 3),
)  # fmt: skip
@example(1, 200, 64, "gaussian", (9, 99, 199))
@example(200, 1, 63, "gaussian", (9, 99, 199))
def test_a_flat_picture_stays_flat_and_is_placed_once(height, width, size, fill, colour):
    pixels = np.full((height, width, 3), colour, np.uint8)
    square, (top, left, rows, columns) = letterbox(pixels, size, fill)
    assert square.shape == (size, size, 3)
    assert square.dtype == np.uint8
    around = {"black": (0, 0, 0), "white": (255, 255, 255)}.get(fill, colour)
    expected = np.full((size, size, 3), around, np.uint8)
    expected[top : top + rows, left : left + columns] = colour
    np.testing.assert_array_equal(square, expected)


@pytest.mark.parametrize("fill", get_args(Fill))
@pytest.mark.parametrize(
    "shape", [(100, 300), (300, 100), (91, 91), (1, 200), (200, 1), (5, 3), (1, 1), (30, 47)]
)
@pytest.mark.parametrize("size", [64, 65])
def test_the_picture_itself_is_the_resized_picture(smooth, shape, size, fill):
    pixels = smooth(*shape)
    square, (top, left, rows, columns) = letterbox(pixels, size, fill)
    resized = Image.fromarray(pixels).resize((columns, rows), Image.Resampling.BICUBIC)
    content = square[top : top + rows, left : left + columns].astype(int)
    assert np.abs(content - np.asarray(resized)).max() <= 1


def test_shrinking_does_not_alias():
    checks = np.indices((640, 640)).sum(0) % 2 * 255
    square, _ = letterbox(np.repeat(checks[..., None], 3, -1).astype(np.uint8), 64, "black")
    assert np.abs(square.astype(int) - 127.5).max() <= 2


def test_mean_fill(smooth):
    pixels = smooth(50, 100)
    square, _ = letterbox(pixels, 100, "mean")
    np.testing.assert_allclose(square[0, 0], pixels.mean((0, 1)), atol=1)
    assert (square[:25] == square[0, 0]).all()
    assert (square[75:] == square[0, 0]).all()


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("height", [1, 3, 10, 40, 73, 99, 100])
def test_the_gaussian_fill_meets_the_picture_without_a_seam(height, transpose):
    noise = np.random.default_rng(0).integers(0, 256, (height, 100, 3), dtype=np.uint8)
    square, place = letterbox(noise.swapaxes(0, 1) if transpose else noise, 100, "gaussian")
    if transpose:
        square = square.swapaxes(0, 1)
    top = place.left if transpose else place.top
    bottom = top + height
    if top > 0:
        np.testing.assert_array_equal(square[top - 1], square[top])
    if bottom < 100:
        np.testing.assert_array_equal(square[bottom], square[bottom - 1])


@pytest.mark.parametrize("shape", [(100, 224), (224, 100), (20, 224), (150, 224)])
def test_the_gaussian_fill_is_the_blur_of_the_repeated_reflection(shape):
    """Against a naive reflection and scipy's true Gaussian filter."""
    rng = np.random.default_rng(1)
    noise = np.repeat(np.repeat(rng.integers(0, 256, (56, 56, 3)), 4, 0), 4, 1)
    pixels = noise[: shape[0], : shape[1]].astype(np.uint8)
    square, (top, left, rows, columns) = letterbox(pixels, 224, "gaussian")

    def reflected(position: int, length: int) -> int:
        while not 0 <= position < length:
            position = -1 - position if position < 0 else 2 * length - 1 - position
        return position

    y = [reflected(i - top, rows) for i in range(224)]
    x = [reflected(i - left, columns) for i in range(224)]
    mirror = pixels[np.ix_(y, x)].astype(float)
    blurred = gaussian_filter(mirror, (224 / 16, 224 / 16, 0), mode="reflect")
    outside = np.ones((224, 224), bool)
    outside[max(0, top - 14) : top + rows + 14, max(0, left - 14) : left + columns + 14] = False
    error = np.abs(square[outside] - blurred[outside])
    assert outside.any()
    assert error.mean() < 1.2
    assert error.max() < 8


def test_an_unknown_fill_is_named():
    with pytest.raises(ValueError, match="gaussian, black, white, mean, not 'pink'"):
        letterbox(np.zeros((2, 2, 3), np.uint8), 4, "pink")


@pytest.mark.filterwarnings("error")
def test_views_and_read_only_pixels_are_taken(smooth):
    pixels = smooth(40, 60)
    frozen = pixels.copy()
    frozen.setflags(write=False)
    expected, _ = letterbox(pixels[::-1].copy(), 32, "gaussian")
    np.testing.assert_array_equal(letterbox(pixels[::-1], 32, "gaussian")[0], expected)
    letterbox(frozen, 32, "gaussian")
    np.testing.assert_array_equal(frozen, pixels)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize(("height", "width"), [(90, 131), (131, 90), (64, 64), (20, 33)])
@pytest.mark.parametrize("share", [1.0, 0.875, 0.6])
def test_the_centre_is_what_torchvision_evaluates(smooth, height, width, share, interpolation):
    pixels = smooth(height, width)
    prepare = Compose([Resize(int(48 / share), InterpolationMode(interpolation)), CenterCrop(48)])
    expected = np.asarray(prepare(Image.fromarray(pixels)))
    found = centre(pixels, 48, share, interpolation)
    assert found.shape == (48, 48, 3)
    assert np.abs(found.astype(int) - expected).max() <= 2  # of 255, by rounding twice
