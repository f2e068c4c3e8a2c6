"""Picture headers and thumbnails."""

import numpy as np
import simplejpeg
from PIL import Image

from car_retrieval.images.decode import UnreadableImageError, decode, open_picture

QUALITY = 85
SHOWN_BY_BROWSERS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "AVIF", "BMP")


def dimensions(data: bytes) -> tuple[int, int]:
    """Read width and height in pixels from a picture's header.

    Raises:
        UnreadableImageError: the data is not a picture.
        DecompressionBombError: the picture has more than 178 million pixels.
    """
    try:
        with open_picture(data) as image:
            return image.size
    except (Image.DecompressionBombError, UnreadableImageError):
        raise
    except Exception as error:  # a broken header can raise anything
        raise UnreadableImageError("its header is damaged") from error


def for_browsers(data: bytes) -> tuple[bytes, str]:
    """Return a picture and its media type, as a JPEG if browsers cannot show its format.

    Raises:
        UnreadableImageError: the data is not a complete picture.
    """
    dimensions(data)
    with open_picture(data) as image:
        if image.format in SHOWN_BY_BROWSERS:
            return data, Image.MIME[image.format]
    return jpeg(data), "image/jpeg"


def jpeg(data: bytes, size: int | None = None) -> bytes:
    """Convert a picture to an upright JPEG.

    Args:
        data: the file.
        size: maximum length of the long side in pixels; None: as the picture.

    Raises:
        UnreadableImageError: the data is not a complete picture.
    """
    pixels = decode(data, min_size=size and 2 * size).pixels
    if size is not None:
        image = Image.fromarray(pixels)
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
        pixels = np.ascontiguousarray(image)
    return simplejpeg.encode_jpeg(pixels, QUALITY)
