import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from car_retrieval.images.colour import foreign_profile
from car_retrieval.images.decode import UnreadableImageError, decode

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_primaries() -> bytes:
    """sRGB with its red and green primaries exchanged: what it calls red is green."""
    profile = SRGB.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    (count,) = struct.unpack_from(">I", profile, 128)
    head, tags, rest = profile[:132], profile[132 : 132 + 12 * count], profile[132 + 12 * count :]
    tags = tags.replace(b"rXYZ", b"    ").replace(b"gXYZ", b"rXYZ").replace(b"    ", b"gXYZ")
    return head + tags + rest


def flat(colour: object, mode: str, size: tuple[int, int] = (16, 16)) -> Image.Image:
    return Image.new(mode, size, colour)


def colour_of(data: bytes) -> np.ndarray:
    pixels = decode(data).pixels
    assert pixels.shape == (16, 16, 3)
    assert pixels.dtype == np.uint8
    assert (np.ptp(pixels, axis=(0, 1)) <= 1).all()
    return pixels[0, 0].astype(int)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_embedded_profile_is_applied(encode, kind):
    data = encode(flat((250, 20, 20), "RGB"), kind, icc_profile=swapped_primaries())
    np.testing.assert_allclose(colour_of(data), (20, 250, 20), atol=4)


def test_an_embedded_profile_is_applied_to_a_palette(encode):
    data = encode(flat((250, 20, 20), "RGB").quantize(4), "PNG", icc_profile=swapped_primaries())
    np.testing.assert_allclose(colour_of(data), (20, 250, 20), atol=4)


def test_only_a_profile_other_than_srgb_is_foreign():
    image = flat(0, "RGB")
    assert foreign_profile(image) is None
    for profile, foreign in ((SRGB, False), (b"rubbish", False), (swapped_primaries(), True)):
        image.info["icc_profile"] = profile
        assert (foreign_profile(image) is not None) == foreign


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("profile", [SRGB, b"rubbish", SRGB[:200]], ids=["sRGB", "bad", "cut off"])
def test_srgb_and_broken_profiles_change_nothing(encode, kind, profile):
    image = flat((250, 20, 20), "RGB")
    data = encode(image, kind, icc_profile=profile)
    assert (colour_of(data) == colour_of(encode(image, kind))).all()


def test_a_profile_for_other_colours_is_ignored(encode):
    data = encode(flat(90, "L"), "PNG", icc_profile=swapped_primaries())
    assert (colour_of(data) == 90).all()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(encode, kind):
    data = encode(flat((0, 255, 255, 0), "CMYK"), kind)
    np.testing.assert_allclose(colour_of(data), (255, 0, 0), atol=3)


@pytest.mark.parametrize(
    ("colour", "mode", "expected"),
    [
        ((10, 20, 30, 0), "RGBA", (255, 255, 255)),
        ((10, 20, 30, 255), "RGBA", (10, 20, 30)),
        ((0, 100, 200, 51), "RGBA", (204, 224, 244)),
        ((100, 51), "LA", (224, 224, 224)),
        (1, "1", (255, 255, 255)),
        (0, "1", (0, 0, 0)),
        (77, "L", (77, 77, 77)),
        (0xFFFF, "I;16", (255, 255, 255)),
        (0x8000, "I;16", (128, 128, 128)),
        (0x01FF, "I;16", (1, 1, 1)),
    ],
)
def test_modes_of_png(encode, colour, mode, expected):
    np.testing.assert_allclose(colour_of(encode(flat(colour, mode), "PNG")), expected, atol=1)


def test_palettes_and_their_transparent_colour(encode):
    image = flat((200, 50, 100), "RGB").quantize(4)
    assert image.mode == "P"
    assert colour_of(encode(image, "PNG")).tolist() == [200, 50, 100]
    transparent = encode(image, "PNG", transparency=image.getpixel((0, 0)))
    assert colour_of(transparent).tolist() == [255, 255, 255]


def test_a_12_bit_tiff_keeps_its_white(encode):
    data = bytearray(encode(flat(0x0FFF, "I;16"), "TIFF"))
    entry = data.index(struct.pack("<HHIHH", 258, 3, 1, 16, 0))
    assert (colour_of(bytes(data)) == 15).all()  # as 16 bits
    data[entry + 8] = 12
    strip = np.zeros((16, 24), np.uint8)
    strip[:] = 0xFF  # 16 samples of 12 bits a row
    data[-512:] = strip.tobytes().ljust(512, b"\0")
    assert (colour_of(bytes(data)) == 255).all()


def test_lab(encode):
    image = ImageCms.profileToProfile(
        flat((200, 60, 40), "RGB"),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    np.testing.assert_allclose(colour_of(encode(image, "TIFF")), (200, 60, 40), atol=4)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation(encode, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    frames = [flat("blue", "RGB"), flat("green", "RGB")]
    data = encode(flat("red", "RGB"), kind, save_all=True, append_images=frames, **options)
    assert colour_of(data).tolist() == [255, 0, 0]


def test_floating_point_is_refused(encode):
    with pytest.raises(UnreadableImageError, match="floating point"):
        decode(encode(flat(0.5, "F"), "TIFF"))
