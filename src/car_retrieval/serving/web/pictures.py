"""Pictures as browsers take them."""

from io import BytesIO

import numpy as np
import simplejpeg
from PIL import Image

from car_retrieval.images.decode import FORMATS, UnreadableImageError, decode

QUALITY = 85


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels as a picture's header says, or None if it is no picture."""
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            return image.size
    except Image.DecompressionBombError:
        raise
    except Exception:  # headers fail in every way there is
        return None


def media_type(data: bytes) -> str:
    """The media type of a picture, by its header.

    Raises:
        UnreadableImageError: it is no picture.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            return Image.MIME.get(str(image.format), "application/octet-stream")
    except Exception as error:
        raise UnreadableImageError("it is not a picture") from error


def thumbnail(data: bytes, size: int) -> bytes:
    """A JPEG whose long side is at most `size` pixels.

    Raises:
        UnreadableImageError: it is not a complete picture.
    """
    pixels = decode(data, min_size=2 * size).pixels
    image = Image.fromarray(pixels)
    image.thumbnail((size, size), Image.Resampling.LANCZOS)
    return simplejpeg.encode_jpeg(np.ascontiguousarray(image), QUALITY)
