"""JPEGs that lack only their end marker."""

import re
from typing import Literal

import simplejpeg

Truncated = Literal["accept", "refuse"]
"""Whether a JPEG is read that lacks its end marker, but no part of the picture."""

START, SCAN, END = b"\xff\xd8", 0xDA, b"\xff\xd9"
COLOURS = ("GRAY", "CMYK")  # one of them fits, whatever the file's own colours
PADDING = 64  # bytes that may follow the end marker
FRAMES = {0xC0, 0xC1, 0xC2}  # headers of baseline, extended and progressive JPEGs
COEFFICIENTS = 64  # of a block of 8 x 8 pixels
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # neither a stuffed byte, a restart nor padding


def completed(data: bytes) -> bytes | None:
    """Append the end marker to a JPEG in which nothing else is missing.

    Args:
        data: bytes of a file that cannot be decoded as it is.

    Returns:
        The completed file; None if the file is no JPEG, or a part of its picture is missing.
    """
    if not data.startswith(START) or not _all_scans_begun(data):
        return None
    whole = data.removesuffix(END[:1]) + END
    return whole if any(_is_sound(whole, colour) for colour in COLOURS) else None


def lacks_end_marker(data: bytes) -> bool:
    """Return whether a file is a JPEG that lacks its end marker and nothing else."""
    if END in data[-PADDING:] or any(_is_sound(data, colour) for colour in COLOURS):
        return False
    return completed(data) is not None


def _is_sound(data: bytes, colours: str) -> bool:
    """Decode strictly: a block without its data is an error."""
    try:
        simplejpeg.decode_jpeg(data, colours, strict=True)
    except ValueError:
        return False
    return True


def _all_scans_begun(data: bytes) -> bool:
    """Check that each coefficient of each component has a scan with its last bit.

    A progressive JPEG that was cut between two scans decodes without an error, but is blurred.
    """
    lacking: set[tuple[int, int]] = set()
    framed, at = False, len(START)
    while found := MARKER.search(data, at):
        kind, start = data[found.start() + 1], found.end() + 2
        at = found.end() + int.from_bytes(data[found.end() : start])
        segment = data[start:at]
        if len(data) < at or not segment:
            break
        if kind in FRAMES:
            framed = True
            lacking = {(component, k) for component in segment[6::3] for k in range(COEFFICIENTS)}
        elif kind == SCAN:
            components = segment[1 : 1 + 2 * segment[0] : 2]
            first, last, bits = segment[-3:]
            if bits & 15 == 0:  # successive approximation has arrived at the last bit
                lacking -= {(one, k) for one in components for k in range(first, last + 1)}
    return framed and not lacking
