"""A heat map on its photo."""

import matplotlib
import numpy as np
from numpy.typing import NDArray

LUMA = (0.299, 0.587, 0.114)


def overlay(pixels: NDArray[np.uint8], heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The photo in grey, as light as it goes, glowing where it is hot.

    Args:
        pixels: uint8 [h, w, 3], RGB.
        heat: [h, w]; shown from 0 to its maximum, and all cold where that is not above 0.

    Returns:
        uint8 [h, w, 3], RGB.
    """
    grey = pixels @ np.array(LUMA)
    dark, light = np.percentile(grey, (1, 99))
    grey = np.clip((grey - dark) / max(light - dark, 1), 0, 1)
    top = max(float(heat.max()), np.finfo(float).tiny)
    glow = matplotlib.colormaps["inferno"](np.clip(heat / top, 0, 1))[..., :3]
    return np.round(255 * (0.45 * grey[..., None] + 0.55 * glow)).astype(np.uint8)
