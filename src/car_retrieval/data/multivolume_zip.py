"""Reader of multi-volume zip archives, `name.z01` … `name.zip`, with traditional encryption.

Python's zipfile does not support several volumes, and decrypts only a few MB/s. The format is
PKWARE's APPNOTE.TXT 6.3: volumes (4.3, 8), the central directory (4.3.12 to 4.3.16), its 64-bit
fields (4.5.3), and traditional encryption (6.1).
"""

import struct
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np

END, END64, LOCATOR64, CENTRAL, LOCAL = (
    b"PK" + mark for mark in (b"\5\6", b"\6\6", b"\6\7", b"\1\2", b"\3\4")
)
STORED, DEFLATED = 0, 8
ENCRYPTED, STREAMED, UTF8 = 1, 8, 0x800  # flag bits of an entry
LARGEST_COMMENT = 0xFFFF
HEADER = 12  # random bytes before an encrypted entry; the last one checks the password


class WrongPasswordError(ValueError):
    """Error for a password that does not decrypt an entry."""


class Entry(NamedTuple):
    """File of an archive, as listed in the central directory."""

    name: str
    volume: int
    offset: int
    packed: int
    size: int
    crc: int
    method: int
    flags: int
    check: int


class SplitZip:
    """Thread-safe reader of an archive with one or more volumes.

    Args:
        file: last volume, `name.zip`, with `name.z01` and so on beside it.

    Raises:
        FileNotFoundError: a volume is missing.
        ValueError: a volume is damaged, truncated or not part of a zip archive.
    """

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise FileNotFoundError(f"{file} does not exist")
        size = file.stat().st_size
        with file.open("rb") as stream:
            stream.seek(max(0, size - LARGEST_COMMENT - 22))
            tail = stream.read()
        place = tail.rfind(END)
        if place < 0 or len(tail) < place + 22:
            raise ValueError(f"{file} is not a zip archive, or is truncated: download it again")
        last, volume, _, count, length, start = struct.unpack_from("<4H2L", tail, place + 4)
        locator = place - 20
        wide = locator >= 0 and tail[locator : locator + 4] == LOCATOR64
        if wide:
            end_volume, end_start, volumes = struct.unpack_from("<LQL", tail, locator + 4)
            last = volumes - 1
        self.volumes = [*(file.with_suffix(f".z{n:02}") for n in range(1, last + 1)), file]
        missing = [volume.name for volume in self.volumes if not volume.is_file()]
        if missing:
            raise FileNotFoundError(
                f"{file.parent}: of the {last + 1} volumes of {file.name}, these are missing: "
                + ", ".join(missing)
            )
        if wide:
            end = self._read(end_volume, end_start, 56)
            self._require(end[:4] == END64, end_volume)
            volume, _, count, length, start = struct.unpack_from("<L4Q", end, 20)
        self._directory = volume, start, length, count

    @cached_property
    def entries(self) -> list[Entry]:
        """Files in the order of the archive, without folders."""
        volume, start, length, count = self._directory
        entries = list(_central(self._read(volume, start, length)))
        self._require(len(entries) == count, volume)
        for entry in entries:
            self._require(entry.volume < len(self.volumes), volume)
            self._require(entry.offset < self._sizes[entry.volume], entry.volume)
        return [entry for entry in entries if not entry.name.endswith("/")]

    def read(self, entry: Entry, password: bytes) -> bytes:
        """Read the content of a file.

        Raises:
            WrongPasswordError: the password is wrong; 1 in 256 wrong passwords passes this check.
            ValueError: the data are damaged, or the password is wrong; the message has the volume.
        """
        local = self._read(entry.volume, entry.offset, 30)
        self._require(local[:4] == LOCAL, entry.volume)
        start = entry.offset + 30 + sum(struct.unpack_from("<2H", local, 26))
        data = self._read(entry.volume, start, entry.packed)
        if entry.flags & ENCRYPTED:
            data = decrypted(data, password)
            if len(data) < HEADER or data[HEADER - 1] != entry.check:
                raise WrongPasswordError(f"the password does not open {entry.name}")
            data = data[HEADER:]
        try:
            content = zlib.decompress(data, -zlib.MAX_WBITS) if entry.method == DEFLATED else data
        except zlib.error:
            content = b""
        whole = len(content) == entry.size and zlib.crc32(content) == entry.crc
        self._require(whole and entry.method in (STORED, DEFLATED), entry.volume, entry.name)
        return content

    @cached_property
    def _sizes(self) -> list[int]:
        return [volume.stat().st_size for volume in self.volumes]

    def _read(self, volume: int, offset: int, count: int) -> bytes:
        """Read bytes that may extend over the next volumes."""
        parts = []
        for file, size in list(zip(self.volumes, self._sizes, strict=True))[volume:]:
            if offset < size:
                with file.open("rb") as stream:
                    stream.seek(offset)
                    parts.append(stream.read(count))
                count -= len(parts[-1])
            if not count:
                return b"".join(parts)
            offset = max(0, offset - size)
        raise ValueError(f"{self.volumes[-1]} is truncated: download it again")

    def _require(self, right: bool, volume: int, name: str = "") -> None:
        if not right:
            file = self.volumes[min(volume, len(self.volumes) - 1)]
            what = f"is damaged at {name}" if name else "is damaged or from another archive"
            raise ValueError(f"{file} {what}: download it again")


def _central(directory: bytes) -> Iterator[Entry]:
    place = 0
    while directory[place : place + 4] == CENTRAL:
        flags, method, time, _, crc, packed, size, name, extra, comment, volume = (
            struct.unpack_from("<4H3L4H", directory, place + 8)
        )
        (offset,) = struct.unpack_from("<L", directory, place + 42)
        after = place + 46 + name
        text = directory[place + 46 : after].decode("utf-8" if flags & UTF8 else "cp437")
        size, packed, offset, volume = _widened(
            directory[after : after + extra], size, packed, offset, volume
        )
        check = time >> 8 if flags & STREAMED else crc >> 24
        yield Entry(text, volume, offset, packed, size, crc, method, flags, check)
        place = after + extra + comment


def _widened(extra: bytes, size: int, packed: int, offset: int, volume: int) -> tuple[int, ...]:
    """Replace fields that do not fit the directory's columns by those of extra field 1."""
    values, widths = [size, packed, offset, volume], "QQQL"
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        place += 4
        if kind == 1:
            at = place
            for number, (value, width) in enumerate(zip(values, widths, strict=True)):
                if value == (0xFFFF if width == "L" else 0xFFFFFFFF):
                    (values[number],) = struct.unpack_from(f"<{width}", extra, at)
                    at += struct.calcsize(f"<{width}")
        place += length
    return tuple(values)


CRC_TABLE = np.array([zlib.crc32(bytes([n])) for n in range(256)], np.uint32)
CRC_TABLE ^= CRC_TABLE[0]  # cancels the inversions of zlib before and after


def decrypted(data: bytes, password: bytes) -> bytes:
    """Decrypt bytes, header included (traditional PKWARE encryption)."""
    keys = np.array([0x12345678, 0x23456789, 0x34567890], np.uint32)
    _step(np.frombuffer(password, np.uint8), keys, CRC_TABLE, False)
    return _step(np.frombuffer(data, np.uint8), keys, CRC_TABLE, True).tobytes()


@numba.njit(nogil=True, cache=True)
def _step(given: np.ndarray, keys: np.ndarray, table: np.ndarray, decrypt: bool) -> np.ndarray:
    """Advance the three keys by plain bytes, or by encrypted bytes, which are decrypted."""
    plain = given.copy()
    one, two, three = np.uint64(keys[0]), np.uint64(keys[1]), np.uint64(keys[2])
    low, byte, eight = np.uint64(0xFFFFFFFF), np.uint64(0xFF), np.uint64(8)
    for n in range(len(plain)):
        if decrypt:
            mixed = (three & np.uint64(0xFFFF)) | np.uint64(2)
            plain[n] ^= np.uint8(((mixed * (mixed ^ np.uint64(1))) >> eight) & byte)
        one = np.uint64(table[(one ^ np.uint64(plain[n])) & byte]) ^ (one >> eight)
        two = ((two + (one & byte)) * np.uint64(134775813) + np.uint64(1)) & low
        three = np.uint64(table[(three ^ (two >> np.uint64(24))) & byte]) ^ (three >> eight)
    keys[0], keys[1], keys[2] = one, two, three
    return plain
