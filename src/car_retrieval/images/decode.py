"""Decoding of files to upright sRGB pixels, with one-line errors."""

from contextlib import suppress
from io import BytesIO
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base

from car_retrieval.images import heif
from car_retrieval.images.colour import foreign_profile, to_rgb
from car_retrieval.images.crop import Box, crop
from car_retrieval.images.truncated import Truncated, completed

# Photo formats only: for some others Pillow starts external programs (Ghostscript for EPS).
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", *heif.FORMATS)


class UnreadableImageError(ValueError):
    """Error for a file that is not a complete picture; the message is one line."""


class Decoded(NamedTuple):
    """Decoded picture.

    Attributes:
        pixels: uint8 [h, w, 3], upright sRGB; possibly smaller than the full size.
        width: Full upright width in pixels.
        height: Full upright height in pixels.
        truncated: Whether the end marker of the JPEG is missing.
    """

    pixels: np.ndarray
    width: int
    height: int
    truncated: bool = False


def open_picture(data: bytes) -> Image.Image:
    """Read the header of a picture; its content decides the format, not the name of its file.

    Raises:
        UnreadableImageError: The data are not a picture, or one of a format that needs an extra.
        Image.DecompressionBombError: The picture has more than 178 million pixels.
        Exception: The header is broken.
    """
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        if heif.is_heif(data):
            reason = "it is a damaged HEIC photo" if heif.FORMATS else heif.NEEDS_EXTRA
        else:
            reason = f"it is not a picture in a known format ({', '.join(FORMATS)})"
        raise UnreadableImageError(reason) from None


def decode(
    data: bytes,
    min_size: int | None = None,
    box: Box | None = None,
    truncated: Truncated = "accept",
) -> Decoded:
    """Decode a picture, or a box of it.

    Plain JPEGs are decoded strictly by libjpeg-turbo; all other files, and those it rejects, by
    Pillow with the same rules: EXIF orientation applied, colours converted to sRGB, transparency
    composited on white, first frame of an animation; truncated files and decompression bombs
    (more than 178 million pixels) rejected.

    Args:
        data: Bytes of the file.
        min_size: Minimum long side of the returned pixels, down to which a JPEG may be decoded at
            1/2, 1/4 or 1/8 of its size. Twice the final size costs no visible quality. None: full
            size.
        box: Part of the picture to return; None: the whole picture.
        truncated: Whether a JPEG is decoded that lacks its end marker and nothing else.

    Raises:
        UnreadableImageError: The data are not one complete picture; the caller adds the file name.
        ValueError: The box is outside the picture.
    """
    try:
        with open_picture(data) as image:
            width, height = image.size
            long_side = max(image.size) if box is None else max(box.width, box.height)
            denominator = _denominator(long_side, min_size)
            pixels = _decode_plain_jpeg(image, data, denominator)
            if pixels is None:
                pixels = _decode_any(image, denominator)
            orientation = _orientation(image)
    except UnreadableImageError:
        raise
    except Exception as error:  # decoders raise various exceptions on bad data
        if truncated == "accept" and (whole := completed(data)) is not None:
            return decode(whole, min_size, box, "refuse")._replace(truncated=True)
        if min_size is not None:  # a lossless JPEG is valid but cannot be scaled
            return decode(data, None, box, truncated)
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImageError(f"it cannot be decoded: {reason}") from error
    if orientation >= 5:
        width, height = height, width
    pixels = _upright(pixels, orientation)
    if box is not None:
        pixels = crop(pixels, box, width, height)
    return Decoded(pixels, width, height)


def upright_size(data: bytes) -> tuple[int, int]:
    """Return the upright width and height of a picture, from its header only.

    Raises:
        UnreadableImageError: The data are not a picture, or their header is broken.
    """
    try:
        with open_picture(data) as image:
            width, height = image.size
            return (height, width) if _orientation(image) >= 5 else (width, height)
    except UnreadableImageError:
        raise
    except Exception as error:
        raise UnreadableImageError(f"it cannot be decoded: {error}") from error


def upright_rgb(image: Image.Image) -> np.ndarray:
    """Return pixels uint8 [h, w, 3] of an opened picture, by the rules of `decode`.

    Raises:
        UnreadableImageError: The picture cannot be decoded.
    """
    try:
        orientation = _orientation(image)
        return _upright(_decode_any(image, 1), orientation)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImageError(f"it cannot be decoded: {reason}") from error


def _denominator(long_side: float, min_size: int | None) -> int:
    """Return the largest of the denominators 8, 4, 2 and 1 that keeps `min_size` pixels."""
    if min_size is None:
        return 1
    return next((d for d in (8, 4, 2) if long_side / d >= min_size), 1)


def _decode_plain_jpeg(image: Image.Image, data: bytes, denominator: int) -> np.ndarray | None:
    """Decode a JPEG that needs no colour management; None if Pillow must decode it."""
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
    """Return the EXIF orientation, 1 to 8; 1 (upright) if it is missing or broken."""
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
