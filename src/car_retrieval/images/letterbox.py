"""Letterboxing or centre-cropping of pictures to squares, without distortion."""

from math import floor
from typing import Literal, NamedTuple, get_args

import numpy as np
from PIL import Image, ImageFilter

Fill = Literal["gaussian", "black", "white", "mean"]
Interpolation = Literal["bicubic", "bilinear"]

BLUR_GRID = 28  # cells a side of the coarse grid on which the blur is computed cheaply
BLUR_SIGMA = BLUR_GRID / 16  # in grid cells: 1/16 of the square's side
FADE = 1 / 16  # distance over which the reflection fades into its blur, as a share of the side


class Rectangle(NamedTuple):
    """Position of the picture in the square, in pixels."""

    top: int
    left: int
    height: int
    width: int


def content_rectangle(height: int, width: int, size: int) -> Rectangle:
    """Fit a picture into a square by its long side.

    The short side is rounded, at least 1; odd padding is one pixel larger at the end.

    Example: 567 x 800 pixels (height x width) in a square of 224 become 159 x 224 pixels, with 32
    rows above and 33 below.

    Raises:
        ValueError: A side is less than 1.
    """
    if min(height, width, size) < 1:
        raise ValueError(f"cannot place {height} x {width} pixels in a square of {size}")
    long_side = max(height, width)
    rows, columns = (max(1, round(side * size / long_side)) for side in (height, width))
    return Rectangle((size - rows) // 2, (size - columns) // 2, rows, columns)


def centre(
    pixels: np.ndarray, size: int, share: float, interpolation: Interpolation = "bicubic"
) -> np.ndarray:
    """Resize a picture and crop its centre, as in the ImageNet evaluation of most networks.

    The short side becomes size / share pixels and the long side is in proportion, rounded down, as
    in torchvision and timm. A wide car loses both ends.

    Args:
        pixels: uint8 [h, w, 3], any h and w from 1.
        size: Side of the square in pixels.
        share: Share of the short side to keep, above 0 and at most 1.
        interpolation: Resizing kernel, antialiased when shrinking.

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
    """Resize a picture to fit a square and pad the rest.

    Args:
        pixels: uint8 [h, w, 3], any h and w from 1.
        size: Side of the square in pixels.
        fill: Padding. `gaussian`: reflections of the picture, fading into a Gaussian blur away from
            its border; `black`: 0; `white`: 255; `mean`: mean colour of the picture.
        interpolation: Resizing kernel, antialiased when shrinking.

    Returns:
        Square, uint8 [size, size, 3], and the position of the picture in it.
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
    """Resize uint8 [h, w, 3], antialiased when shrinking.

    torch's 8-bit kernel gives the same result as Pillow's, several times faster.
    """
    import torch  # imported here, so that `params`, which imports Fill, does not load torch
    from torch.nn.functional import interpolate

    batch = torch.from_numpy(np.require(pixels, requirements=["C", "W"]))[None]
    channels_last = batch.permute(0, 3, 1, 2)
    resized = interpolate(channels_last, (height, width), mode=interpolation, antialias=True)
    return resized[0].permute(1, 2, 0).numpy()


def _reflect_and_blur(content: np.ndarray, place: Rectangle, size: int) -> np.ndarray:
    """Pad `content` to a square by reflections that fade into a blur."""
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
        smooth_step = ramp**2 * (
            3 - 2 * ramp
        )  # zero slope at both ends, so that no edge is visible
        weight = np.round(256 * smooth_step).astype(np.uint16)[:, None, None]
        sharp[rows] = (sharp[rows] * (256 - weight) + blurred[rows] * weight + 128) >> 8
