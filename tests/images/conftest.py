from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def encode() -> Encode:
    """Pixels (any array Pillow takes) or a Pillow image to the bytes of a file."""

    def to_bytes(picture: np.ndarray | Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        buffer = BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return to_bytes


@pytest.fixture(scope="session")
def smooth() -> Callable[[int, int], np.ndarray]:
    """A smooth picture without symmetry, uint8 [height, width, 3]."""

    def draw(height: int, width: int) -> np.ndarray:
        y, x = np.mgrid[:height, :width]
        y, x = y / max(height, width), x / max(height, width)
        waves = [np.sin(19 * x + 7 * y), np.cos(23 * y - 5 * x), np.sin(29 * x * y + 3 * x)]
        return np.round(127.5 + 100 * np.stack(waves, -1)).astype(np.uint8)

    return draw
