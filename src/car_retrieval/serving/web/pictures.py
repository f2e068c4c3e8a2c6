"""Picture headers and thumbnails."""

from io import BytesIO

import numpy as np
import simplejpeg
from PIL import Image

from car_retrieval.images.decode import FORMATS, UnreadableImageError, decode

QUALITY = 85


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Read width and height in pixels from a picture's header; None if it is not a picture."""
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            return image.size
    except Image.DecompressionBombError:
        raise
    except Exception:  # a broken header can raise anything
        return None


def media_type(data: bytes) -> str:
    """Read the media type from a picture's header.

    Raises:
        UnreadableImageError: the data is not a picture.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            return Image.MIME.get(str(image.format), "application/octet-stream")
    except Exception as error:
        raise UnreadableImageError("not a picture") from error


def thumbnail(data: bytes, size: int) -> bytes:
    """Shrink a picture to a JPEG whose long side is at most `size` pixels.

    Raises:
        UnreadableImageError: the data is not a complete picture.
    """
    pixels = decode(data, min_size=2 * size).pixels
    image = Image.fromarray(pixels)
    image.thumbnail((size, size), Image.Resampling.LANCZOS)
    return simplejpeg.encode_jpeg(np.ascontiguousarray(image), QUALITY)
