"""Difference hash: 64 bits of a picture's look, independent of file, size and colours."""

import numpy as np
from PIL import Image


def difference_hash(pixels: np.ndarray) -> str:
    """Whether brightness rises from each cell of a grid 9 wide and 8 high to its right neighbour.

    Bits come row by row, the first one highest (dHash: Krawetz, "Kind of Like That", 2013). Files
    of one picture differ in few of them: see `car_retrieval.data.near_duplicates`.

    Args:
        pixels: uint8 [h, w, 3], upright.

    Returns:
        16 hex digits; all 0 for a picture without any structure.
    """
    grey = Image.fromarray(pixels).convert("L").resize((9, 8), Image.Resampling.LANCZOS)
    cells = np.asarray(grey)
    return np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes().hex()
