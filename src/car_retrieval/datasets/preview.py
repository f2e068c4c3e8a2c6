"""What Kedro-Viz shows of a dataset; it goes by the names of these types."""

import base64
import io
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from PIL.Image import Image

ImagePreview = NewType("ImagePreview", str)
"""A base64 PNG."""
JSONPreview = NewType("JSONPreview", str)


def png_preview(image: "Image | bytes") -> ImagePreview:
    """A picture, or the bytes of a PNG file."""
    if not isinstance(image, bytes):
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        image = buffer.getvalue()
    return ImagePreview(base64.b64encode(image).decode())
