"""Decoding: the bytes of a file become upright sRGB pixels, or one line saying why not."""

from contextlib import suppress
from io import BytesIO
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base

from car_retrieval.images.colour import foreign_profile, to_rgb
from car_retrieval.images.crop import Box, crop

# Photos' formats only: some others make Pillow start outside programs (EPS starts Ghostscript).
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")


class UnreadableImageError(ValueError):
    """A file is not a complete picture; the message is one line that says why."""


class Decoded(NamedTuple):
    """A decoded picture.

    Attributes:
        pixels: uint8 [h, w, 3], upright sRGB; possibly smaller than the full size.
        width: Full upright width of the whole picture in pixels.
        height: Full upright height of the whole picture in pixels.
    """

    pixels: np.ndarray
    width: int
    height: int


def decode(data: bytes, min_size: int | None = None, box: Box | None = None) -> Decoded:
    """Decode a picture, or the `box` of it.

    Plain JPEGs are decoded strictly by libjpeg-turbo; everything else, and what it refuses, by
    Pillow under the same rules: EXIF orientation applied, colours converted to sRGB, transparency
    laid over white, the first frame of an animation, cut-off files and decompression bombs
    (more than 178 million pixels) refused.

    Args:
        data: The bytes of the file.
        min_size: A JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as the long side
            of what is returned keeps at least this many pixels. Twice the size wanted in the end
            costs no visible quality. None decodes at full size.
        box: Part of the picture to return; None returns all of it.

    Raises:
        UnreadableImageError: The data are not one complete picture. The caller knows the file's
            name and adds it.
        ValueError: The box lies outside the picture.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            long_side = max(image.size) if box is None else max(box.width, box.height)
            denominator = _denominator(long_side, min_size)
            pixels = _decode_plain_jpeg(image, data, denominator)
            if pixels is None:
                pixels = _decode_any(image, denominator)
            orientation = _orientation(image)
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise UnreadableImageError(f"it is not a picture in a known format ({known})") from None
    except Exception as error:  # decoders fail on bad data in every way there is
        if min_size is not None:  # a lossless JPEG is sound and yet cannot be scaled
            return decode(data, None, box)
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImageError(f"it cannot be decoded: {reason}") from error
    if orientation >= 5:
        width, height = height, width
    pixels = _upright(pixels, orientation)
    if box is not None:
        pixels = crop(pixels, box, width, height)
    return Decoded(pixels, width, height)


def upright_rgb(image: Image.Image) -> np.ndarray:
    """The pixels uint8 [h, w, 3] of an opened picture, by the rules of `decode`.

    Raises:
        UnreadableImageError: It cannot be decoded.
    """
    try:
        orientation = _orientation(image)
        return _upright(_decode_any(image, 1), orientation)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImageError(f"it cannot be decoded: {reason}") from error


def _denominator(long_side: float, min_size: int | None) -> int:
    """The largest of libjpeg's fast scales 1/8, 1/4, 1/2 that keeps `min_size` pixels, or 1."""
    if min_size is None:
        return 1
    return next((d for d in (8, 4, 2) if long_side / d >= min_size), 1)


def _decode_plain_jpeg(image: Image.Image, data: bytes, denominator: int) -> np.ndarray | None:
    """Decode a JPEG whose colours need no management; None leaves the picture to Pillow."""
    if image.format not in ("JPEG", "MPO") or image.mode not in ("L", "RGB"):
        return None
    if foreign_profile(image) is not None:
        return None
    width, height = image.size
    with suppress(ValueError):
        return simplejpeg.decode_jpeg(
            data, min_width=-(-width // denominator), min_height=-(-height // denominator)
        )
    return None


def _decode_any(image: Image.Image, denominator: int) -> np.ndarray:
    image.draft(None, (max(1, image.width // denominator), max(1, image.height // denominator)))
    image.load()
    return np.array(to_rgb(image))


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 (upright) where there is none or the EXIF block is broken."""
    try:
        orientation = image.getexif().get(Base.Orientation, 1)
    except Exception:  # a broken EXIF block does not make a picture unreadable
        return 1
    return orientation if orientation in range(1, 9) else 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation of uint8 [h, w, 3]."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
