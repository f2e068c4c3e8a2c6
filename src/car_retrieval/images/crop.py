"""Cropping to a labelled box."""

from math import ceil, floor
from typing import NamedTuple

import numpy as np


class Box(NamedTuple):
    """Box in 1-based inclusive pixels of the full upright picture, as labelled in CompCars."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        """Width in pixels of the full picture."""
        return self.x2 - self.x1 + 1

    @property
    def height(self) -> float:
        """Height in pixels of the full picture."""
        return self.y2 - self.y1 + 1


def check_inside(box: Box, width: int, height: int) -> None:
    """Check that a box is not empty and lies inside the picture.

    Raises:
        ValueError: The box is empty or extends beyond the picture.
    """
    if not (1 <= box.x1 <= box.x2 <= width and 1 <= box.y1 <= box.y2 <= height):
        raise ValueError(
            f"the crop {box.x1:g},{box.y1:g},{box.x2:g},{box.y2:g} does not lie inside the "
            f"picture: x1,y1,x2,y2 range from 1,1 to {width},{height}"
        )


def widened(box: Box, share: float, width: int, height: int) -> Box:
    """Widen a box by a share of its sides on each side, to whole pixels inside the picture."""
    across, down = share * box.width, share * box.height
    return Box(
        max(1, floor(box.x1 - across)),
        max(1, floor(box.y1 - down)),
        min(width, ceil(box.x2 + across)),
        min(height, ceil(box.y2 + down)),
    )


def scaled(box: Box, width: int, height: int, full_width: int, full_height: int) -> Box:
    """Scale a box of a picture decoded smaller to the full picture, outwards to whole pixels.

    Example: for 8 x 6 pixels decoded as 4 x 3, the box 2 1 3 3 becomes 3 1 6 6.
    """
    across, down = full_width / width, full_height / height
    return Box(
        floor((box.x1 - 1) * across) + 1,
        floor((box.y1 - 1) * down) + 1,
        min(full_width, ceil(box.x2 * across)),
        min(full_height, ceil(box.y2 * down)),
    )


def crop(pixels: np.ndarray, box: Box, width: int, height: int) -> np.ndarray:
    """Cut `box` out of a picture that may have been decoded smaller.

    Example: columns 3 to 6 of a picture 8 wide are `pixels[:, 2:6]`; of the same picture decoded
    at half size, `pixels[:, 1:3]`. Pixels that the box covers in part are included.

    Args:
        pixels: uint8 [h, w, 3], the whole picture.
        box: Box to keep; parts outside the picture are ignored.
        width: Full width of the picture in pixels.
        height: Full height of the picture in pixels.

    Returns:
        uint8 [h', w', 3], a view of at least one pixel.

    Raises:
        ValueError: The box does not overlap the picture.
    """
    if box.x2 < max(box.x1, 1) or box.y2 < max(box.y1, 1) or box.x1 > width or box.y1 > height:
        raise ValueError(
            f"the box {box.x1:g} {box.y1:g} {box.x2:g} {box.y2:g} holds no pixel of the picture "
            f"of {width} x {height}"
        )
    y_scale, x_scale = pixels.shape[0] / height, pixels.shape[1] / width
    rows = slice(max(0, floor((box.y1 - 1) * y_scale)), ceil(box.y2 * y_scale))
    columns = slice(max(0, floor((box.x1 - 1) * x_scale)), ceil(box.x2 * x_scale))
    return pixels[rows, columns]
