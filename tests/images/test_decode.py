import re
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from car_retrieval.images import decode as decode_module
from car_retrieval.images import heif
from car_retrieval.images.crop import Box
from car_retrieval.images.decode import UnreadableImageError, decode

ORIENTATION = 0x0112


def difference(a: np.ndarray, b: np.ndarray) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b).max())


@pytest.mark.parametrize(
    "kind", ["PNG", "BMP", "TIFF", "GIF", "JPEG", "MPO", "WEBP", "AVIF", "HEIF", "JPEG2000", "PPM"]
)
def test_pixels_size_and_type(encode, smooth, kind):
    picture = np.full((30, 40, 3), (200, 100, 50), np.uint8)
    decoded = decode(encode(picture, kind))
    assert (decoded.width, decoded.height) == (40, 30)
    assert decoded.pixels.dtype == np.uint8
    assert difference(decoded.pixels, picture) <= (
        4 if kind in ("JPEG", "MPO", "WEBP", "AVIF", "HEIF") else 0
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(encode, smooth, kind, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encode(smooth(45, 70), kind, exif=exif)
    with Image.open(BytesIO(data)) as stored:
        upright = np.asarray(ImageOps.exif_transpose(stored))
    decoded = decode(data)
    assert (decoded.height, decoded.width) == upright.shape[:2]
    assert (decoded.height > decoded.width) == (orientation >= 5)
    assert difference(decoded.pixels, upright) <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heic_photo_is_turned_once(encode, smooth, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encode(smooth(45, 70), "HEIF", exif=exif.tobytes(), quality=95)  # turned by `irot`
    turned = Image.fromarray(smooth(45, 70))
    turned.getexif()[ORIENTATION] = orientation
    upright = np.asarray(ImageOps.exif_transpose(turned))
    decoded = decode(data)
    assert (decoded.height, decoded.width) == upright.shape[:2]
    assert np.abs(decoded.pixels.astype(int) - upright).mean() < 12  # if turned wrongly: over 50


def test_the_extra_for_heic_is_named(encode, smooth, monkeypatch):
    data = encode(smooth(20, 30), "HEIF")
    monkeypatch.setattr(decode_module, "FORMATS", ("JPEG",))
    monkeypatch.setattr(heif, "FORMATS", ())
    with pytest.raises(UnreadableImageError, match=r"HEIC photo: .*pip install -e '\.\[heic\]'"):
        decode(data)
    assert decode(encode(smooth(20, 30))).width == 30


def test_a_damaged_heic_photo(encode, smooth):
    with pytest.raises(UnreadableImageError, match="damaged HEIC"):
        decode(encode(smooth(20, 30), "HEIF")[:60])


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_impossible_orientation_is_upright(encode, smooth, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encode(smooth(20, 30), exif=exif)
    assert difference(decode(data).pixels, decode(encode(smooth(20, 30))).pixels) == 0


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0MM\0*", b"Exif\0\0rubbish", b"Exif\0\0MM\0*\xff\xff\xff\xff"],
    ids=["cut off", "rubbish", "beyond its end"],
)
def test_a_broken_exif_block_is_ignored(encode, smooth, kind, exif):
    assert decode(encode(smooth(20, 30), kind, exif=exif)).pixels.shape == (20, 30, 3)


@pytest.mark.parametrize("min_size", [None, 150, 75, 30])
@pytest.mark.parametrize(
    "options",
    [{"subsampling": 0}, {"subsampling": 2}, {"progressive": True}, {"quality": 30}],
    ids=str,
)
def test_both_decoders_give_the_same_picture(encode, smooth, monkeypatch, options, min_size):
    data = encode(smooth(201, 303), **options)
    fast = decode(data, min_size)

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("refused")

    monkeypatch.setattr(simplejpeg, "decode_jpeg", refuse)
    assert difference(decode(data, min_size).pixels, fast.pixels) <= 2


def test_a_grey_jpeg_has_three_equal_channels(encode, smooth):
    grey = smooth(20, 30)[..., 0]
    pixels = decode(encode(grey, quality=95)).pixels
    assert pixels.shape == (20, 30, 3)
    assert (pixels == pixels[..., :1]).all()
    assert difference(pixels[..., 0], grey) <= 8


@pytest.mark.parametrize(
    ("min_size", "shape"),
    [(None, (600, 900)), (451, (600, 900)), (450, (300, 450)), (226, (300, 450)),
     (225, (150, 225)), (112, (75, 113)), (1, (75, 113)), (2000, (600, 900))],
)  # fmt: skip
@pytest.mark.parametrize("portrait", [False, True])
def test_min_size_chooses_the_scale(encode, smooth, min_size, shape, portrait):
    picture = smooth(600, 900)
    decoded = decode(encode(picture.swapaxes(0, 1) if portrait else picture), min_size)
    assert decoded.pixels.shape[:2] == (shape[::-1] if portrait else shape)
    assert sorted((decoded.height, decoded.width)) == [600, 900]


def test_a_scaled_decode_keeps_the_picture(encode, smooth):
    """PSNR of decode-at-twice-the-size + bicubic against full decode + Lanczos: 40 dB or more."""
    data = encode(smooth(600, 900), quality=90)
    target = (224, 149)
    with Image.open(BytesIO(data)) as image:
        exact = np.asarray(image.resize(target, Image.Resampling.LANCZOS), float)
    half = Image.fromarray(decode(data, 448).pixels)
    assert half.size == (450, 300)
    error = np.asarray(half.resize(target, Image.Resampling.BICUBIC)) - exact
    assert 10 * np.log10(255**2 / np.mean(error**2)) >= 40


@given(data=st.data(), orientation=st.integers(1, 8), min_size=st.integers(1, 300))
def test_a_box_is_cut_from_the_upright_picture(encode, smooth, data, orientation, min_size):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = encode(smooth(120, 200), exif=exif)
    full = decode(file)
    x1, x2 = sorted(data.draw(st.tuples(*[st.integers(1, full.width)] * 2)))
    y1, y2 = sorted(data.draw(st.tuples(*[st.integers(1, full.height)] * 2)))
    box = Box(x1, y1, x2, y2)
    expected = full.pixels[y1 - 1 : y2, x1 - 1 : x2]
    assert difference(decode(file, box=box).pixels, expected) == 0
    scaled = decode(file, min_size, box)
    assert (scaled.width, scaled.height) == (full.width, full.height)
    assert max(scaled.pixels.shape) >= min(min_size, max(expected.shape[:2]))


def test_a_box_outside_the_picture_is_the_boxs_fault(encode, smooth):
    with pytest.raises(ValueError, match="50 1 60 9 holds no pixel of the picture of 30 x 20") as e:
        decode(encode(smooth(20, 30)), box=Box(50, 1, 60, 9))
    assert not isinstance(e.value, UnreadableImageError)


@pytest.mark.parametrize("min_size", [None, 1])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"kind": "PNG"}, {"kind": "HEIF"}], ids=str
)
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.9, 0.99])
def test_a_cut_off_file_is_refused(encode, smooth, options, share, min_size):
    data = encode(smooth(200, 300), **options)
    assert decode(data).pixels.shape == (200, 300, 3)
    with pytest.raises(UnreadableImageError):
        decode(data[: int(share * len(data))], min_size)


@pytest.mark.parametrize("min_size", [None, 30])
@pytest.mark.parametrize("lacking", [1, 2])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_may_lack_its_end_marker(encode, smooth, min_size, lacking, mode, progressive):
    whole = encode(Image.fromarray(smooth(200, 300)).convert(mode), progressive=progressive)
    decoded = decode(whole[:-lacking], min_size)
    assert decoded.truncated
    assert difference(decoded.pixels, decode(whole, min_size).pixels) == 0
    assert not decode(whole, min_size).truncated
    with pytest.raises(UnreadableImageError, match="truncated"):
        decode(whole[:-lacking], min_size, truncated="refuse")
    with pytest.raises(UnreadableImageError):
        decode(whole[: -lacking - 3], min_size)


def test_a_progressive_jpeg_cut_between_its_scans_is_refused(encode, smooth):
    data = encode(smooth(200, 300), progressive=True)
    scans = [found.start() for found in re.finditer(b"\xff\xda", data)]
    assert len(scans) > 3
    for start in scans:
        with pytest.raises(UnreadableImageError):
            decode(data[:start])


def test_a_decompression_bomb_is_refused(encode):
    data = bytearray(encode(np.zeros((8, 8, 3), np.uint8), "BMP"))
    data[18:26] = (20_000).to_bytes(4, "little") * 2
    with pytest.raises(UnreadableImageError, match="400000000 pixels"):
        decode(bytes(data))


def test_formats_that_start_programs_are_refused(encode, smooth):
    with pytest.raises(UnreadableImageError, match="it is not a picture"):
        decode(encode(smooth(20, 30), "EPS"))


def test_the_message_is_one_line_without_addresses(encode, smooth):
    with pytest.raises(UnreadableImageError, match=r"^it is not a picture in .*JPEG.*$"):
        decode(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UnreadableImageError, match=r"^it cannot be decoded: .*truncated.*$") as e:
        decode(encode(smooth(20, 30))[:-100])
    assert "\n" not in str(e.value)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=150)
@given(data=st.data())
def test_damaged_bytes_decode_or_are_refused(encode, smooth, data):
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "WEBP"]))
    file = bytearray(encode(smooth(16, 24), kind))
    for position in data.draw(st.lists(st.integers(0, len(file) - 1), max_size=6)):
        file[position] = data.draw(st.integers(0, 255))
    with suppress(UnreadableImageError):
        assert decode(bytes(file), 8).pixels.ndim == 3
