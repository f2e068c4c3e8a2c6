"""HEIC and HEIF, the format of phones: read by Pillow with the extra `heic`.

An extra, because its wheels contain x265 under the GPL. They exist for every platform of torch.
"""

try:
    from pillow_heif import register_heif_opener
except ImportError:
    FORMATS: tuple[str, ...] = ()
else:
    # The caller decodes in threads. A thumbnail in a file may show another state of the photo.
    register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)
    FORMATS = ("HEIF",)

NEEDS_EXTRA = "it is a HEIC photo: to read them, run `pip install -e '.[heic]'`"
BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def is_heif(data: bytes) -> bool:
    """Recognise HEIC and HEIF by the first bytes of a file."""
    return data[4:8] == b"ftyp" and data[8:12] in BRANDS
