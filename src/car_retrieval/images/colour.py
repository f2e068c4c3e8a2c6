"""Conversion of pictures of any mode to 8-bit sRGB on white."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageCms
from PIL.ImageCms import ImageCmsProfile, PyCMSError
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile


def foreign_profile(image: Image.Image) -> ImageCmsProfile | None:
    """Return the embedded ICC profile; None if it is missing, sRGB or broken."""
    embedded = image.info.get("icc_profile")
    if not embedded:
        return None
    try:
        profile = ImageCmsProfile(BytesIO(embedded))
        return None if ImageCms.getProfileDescription(profile).startswith("sRGB") else profile
    except (OSError, PyCMSError):
        return None


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a loaded picture of any mode to 8-bit sRGB.

    16-bit values are scaled, transparency is composited on white, and colours are converted by the
    embedded profile (perceptual intent), unless it is broken or for another kind of picture.

    Raises:
        ValueError: The pixels are floating point, for which white is undefined.
    """
    profile = foreign_profile(image)
    if image.mode == "F":
        raise ValueError("its pixels are floating point: save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        image = _to_8_bits(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    elif image.mode in ("1", "P"):
        image = image.convert("RGB")
    if image.mode == "LAB":
        return _to_srgb(image, ImageCmsProfile(ImageCms.createProfile("LAB")))
    if profile is not None:
        try:
            return _to_srgb(image, profile)
        except PyCMSError:
            pass
    return image.convert("RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    bits = image.tag_v2.get(BITSPERSAMPLE, (16,))[0] if isinstance(image, TiffImageFile) else 16
    shift = min(bits, 16) - 8  # white is 4095 in a 12-bit TIFF
    grey = (np.asarray(image) >> shift).clip(0, 255).astype(np.uint8)
    return Image.fromarray(grey)


def _to_srgb(image: Image.Image, profile: ImageCmsProfile) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.PERCEPTUAL,
        outputMode="RGB",
    )
    assert converted is not None  # None only if converted in place
    return converted
