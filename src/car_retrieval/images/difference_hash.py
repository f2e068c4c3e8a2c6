"""Difference hash: perceptual hash of 64 bits, independent of file format, size and colours."""

import numpy as np
from PIL import Image


def difference_hash(pixels: np.ndarray) -> str:
    """Hash a picture by the signs of horizontal brightness differences on a grid of 9 x 8 cells.

    A bit is 1 if brightness rises to the right; row by row, most significant first (dHash: Krawetz,
    "Kind of Like That", 2013). Files of one picture differ in few bits: see
    `car_retrieval.data.near_duplicates`.

    Args:
        pixels: uint8 [h, w, 3], upright.

    Returns:
        16 hex digits; all 0 for a uniform picture.
    """
    grey = Image.fromarray(pixels).convert("L").resize((9, 8), Image.Resampling.LANCZOS)
    cells = np.asarray(grey)
    return np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes().hex()
