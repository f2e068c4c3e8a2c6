"""Letterbox or centre-crop a picture of any shape to a square without distortion."""

from math import floor
from typing import Literal, NamedTuple, get_args

import numpy as np
from PIL import Image, ImageFilter

Fill = Literal["gaussian", "black", "white", "mean"]
Interpolation = Literal["bicubic", "bilinear"]

BLUR_GRID = 28  # the blur is computed on a grid this fine, where it costs next to nothing
BLUR_SIGMA = BLUR_GRID / 16  # in cells of the grid: 1/16 of the square's side
FADE = 1 / 16  # of the square's side: how far the sharp reflection takes to fade into its blur


class Rectangle(NamedTuple):
    """Where the picture lies in the square, in pixels."""

    top: int
    left: int
    height: int
    width: int


def content_rectangle(height: int, width: int, size: int) -> Rectangle:
    """Place a picture in a square so that its long side fills it.

    The short side is rounded, at least 1; of an odd padding the larger half comes after.

    Example: 567 x 800 pixels (height x width) in a square of 224 give 159 x 224 pixels, with 32
    rows above and 33 below.

    Raises:
        ValueError: A side is smaller than 1.
    """
    if min(height, width, size) < 1:
        raise ValueError(f"cannot place {height} x {width} pixels in a square of {size}")
    long_side = max(height, width)
    rows, columns = (max(1, round(side * size / long_side)) for side in (height, width))
    return Rectangle((size - rows) // 2, (size - columns) // 2, rows, columns)


def centre(
    pixels: np.ndarray, size: int, share: float, interpolation: Interpolation = "bicubic"
) -> np.ndarray:
    """Resize a picture and cut the centre out, as most networks are evaluated on ImageNet.

    The short side becomes size / share pixels, and the long one in proportion, rounded down, as in
    torchvision and timm. What is cut off is lost: of a wide car, both ends.

    Args:
        pixels: uint8 [h, w, 3], any h and w from 1.
        size: Side of the square in pixels.
        share: Of the short side that the square keeps, above 0 and at most 1.
        interpolation: Kernel, antialiased where it shrinks.

    Returns:
        uint8 [size, size, 3].
    """
    short, side = min(pixels.shape[:2]), max(size, floor(size / share))
    height, width = (int(side * long / short) for long in pixels.shape[:2])
    resized = _resize(pixels, height, width, interpolation)
    top, left = round((height - size) / 2), round((width - size) / 2)
    return np.ascontiguousarray(resized[top : top + size, left : left + size])


def letterbox(
    pixels: np.ndarray, size: int, fill: Fill, interpolation: Interpolation = "bicubic"
) -> tuple[np.ndarray, Rectangle]:
    """Resize a picture and fill the rest of the square.

    Args:
        pixels: uint8 [h, w, 3], any h and w from 1.
        size: Side of the square in pixels.
        fill: What surrounds the picture. `gaussian`: its own reflection, repeated as often as
            needed, sharp where it meets the picture and soon fading into a Gaussian blur; `black`
            0; `white` 255; `mean`: the mean colour of the picture.
        interpolation: Kernel, antialiased where it shrinks.

    Returns:
        The square, uint8 [size, size, 3], and where the picture lies in it.
    """
    if fill not in get_args(Fill):
        raise ValueError(f"fill must be one of {', '.join(get_args(Fill))}, not {fill!r}")
    place = content_rectangle(pixels.shape[0], pixels.shape[1], size)
    content = _resize(pixels, place.height, place.width, interpolation)
    if fill == "gaussian":
        return _reflect_and_blur(content, place, size), place
    square = np.full((size, size, 3), 255 if fill == "white" else 0, np.uint8)
    if fill == "mean":
        square[:] = content.mean(0).mean(0).round()
    square[place.top : place.top + place.height, place.left : place.left + place.width] = content
    return square, place


def _resize(
    pixels: np.ndarray, height: int, width: int, interpolation: Interpolation = "bicubic"
) -> np.ndarray:
    """Resize uint8 [h, w, 3], antialiased where it shrinks.

    torch's 8-bit kernel makes the same picture as Pillow's, several times faster.
    """
    import torch  # here, so that parameters, which name a fill, are checked without it
    from torch.nn.functional import interpolate

    batch = torch.from_numpy(np.require(pixels, requirements=["C", "W"]))[None]
    channels_last = batch.permute(0, 3, 1, 2)
    resized = interpolate(channels_last, (height, width), mode=interpolation, antialias=True)
    return resized[0].permute(1, 2, 0).numpy()


def _reflect_and_blur(content: np.ndarray, place: Rectangle, size: int) -> np.ndarray:
    """The square of `content` reflected outwards and faded into a blur of the whole."""
    rows = (place.top, size - place.top - place.height)
    columns = (place.left, size - place.left - place.width)
    square = np.pad(content, (rows, columns, (0, 0)), mode="symmetric")
    grid = Image.fromarray(_resize(square, BLUR_GRID, BLUR_GRID))
    blurred = _resize(np.array(grid.filter(ImageFilter.GaussianBlur(BLUR_SIGMA))), size, size)
    _fade(square, blurred, *rows)
    _fade(square.swapaxes(0, 1), blurred.swapaxes(0, 1), *columns)
    return square


def _fade(sharp: np.ndarray, blurred: np.ndarray, before: int, after: int) -> None:
    """Fade the first `before` and the last `after` rows of `sharp` into `blurred`, in place."""
    size = len(sharp)
    outer_rows = (
        (slice(0, before), np.arange(before)[::-1]),
        (slice(size - after, size), np.arange(after)),
    )
    for rows, distance in outer_rows:
        ramp = np.minimum(distance / (FADE * size), 1)
        smooth_step = ramp**2 * (3 - 2 * ramp)  # level at both ends, so no edge shows
        weight = np.round(256 * smooth_step).astype(np.uint16)[:, None, None]
        sharp[rows] = (sharp[rows] * (256 - weight) + blurred[rows] * weight + 128) >> 8
