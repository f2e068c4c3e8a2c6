"""Split, encrypted archives, written here byte by byte as the format says, and by Info-ZIP."""

import itertools
import shutil
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.cli import cli, compcars_unpack
from car_retrieval.cli.compcars_unpack import unpack_compcars
from car_retrieval.data.multivolume_zip import SplitZip, decrypted

PASSWORD = "d8 ü"
CRC = [zlib.crc32(bytes([n])) ^ zlib.crc32(b"\0") for n in range(256)]
RELEASE = {
    "data.zip": {"data/image": (".jpg", 9), "data/label": (".txt", 9)},
    "sv_data.zip": {"sv_data/image": (".jpg", 2)},
}


def encrypted(plain: bytes, password: bytes) -> bytes:
    """APPNOTE 6.1, a byte at a time."""
    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte: int) -> None:
        keys[0] = CRC[(keys[0] ^ byte) & 255] ^ keys[0] >> 8
        keys[1] = ((keys[1] + (keys[0] & 255)) * 134775813 + 1) % 2**32
        keys[2] = CRC[(keys[2] ^ keys[1] >> 24) & 255] ^ keys[2] >> 8

    out = bytearray()
    for byte in password:
        update(byte)
    for byte in plain:
        mixed = (keys[2] | 2) & 0xFFFF
        out.append(byte ^ (mixed * (mixed ^ 1) >> 8) & 255)
        update(byte)
    return bytes(out)


def write_zip(
    file: Path, files: dict[str, bytes], volume: int = 2**40, wide: bool = False, streamed: int = 8
) -> None:
    """A zip of these files in volumes of so many bytes; `wide`: with all 64-bit fields."""
    stream, central, offsets = b"PK\7\x08", [], []
    for number, (name, content) in enumerate(files.items()):
        method = 8 * (number % 2)
        packer = zlib.compressobj(wbits=-15)
        packed = packer.compress(content) + packer.flush() if method else content
        crc, time = zlib.crc32(content), 0x5A00 + number
        check = time >> 8 if streamed else crc >> 24
        data = encrypted(bytes(11) + bytes([check]) + packed, PASSWORD.encode())
        offsets.append(len(stream))
        text, flags = name.encode(), 0x801 | streamed
        fields = (20, flags, method, time, 33, crc, len(data), len(content), len(text))
        stream += b"PK\3\4" + struct.pack("<5H3L2H", *fields, 4) + text + b"\xfe\xca\0\0" + data
        if streamed:
            stream += b"PK\7\x08" + struct.pack("<3L", crc, len(data), len(content))
        extra = b""
        head = [len(data), len(content)]
        place: tuple[int, int] = divmod(offsets[-1], volume)
        if wide:
            extra = b"\xfe\xca\1\0x" + struct.pack("<2H3QL", 1, 28, *head[::-1], place[1], place[0])
            head, place = [2**32 - 1] * 2, (0xFFFF, 2**32 - 1)
        fields = (20, 20, flags, method, time, 33, crc, *head, len(text), len(extra))
        central.append(
            b"PK\1\2"
            + struct.pack("<6H3L5H2L", *fields, 0, place[0], 0, 0, place[1])
            + text
            + extra
        )
    directory = b"".join(central)
    disk, start = divmod(len(stream), volume)
    ends_on = (len(stream) + len(directory) + (76 if wide else 0)) // volume
    stream += directory
    count = len(files)
    if wide:
        end_disk, end_start = divmod(len(stream), volume)
        stream += b"PK\6\6" + struct.pack(
            "<Q2H2L4Q", 44, 45, 45, end_disk, disk, count, count, len(directory), start
        )
        stream += b"PK\6\7" + struct.pack("<LQL", end_disk, end_start, ends_on + 1)
        ends_on = disk = count = 0xFFFF
        start = 2**32 - 1
    stream += b"PK\5\6" + struct.pack(
        "<4H2LH", ends_on, disk, count, count, len(directory), start, 0
    )
    number = (len(stream) - 22) // volume  # the last volume holds the whole end
    for n in range(number):
        part = file.with_suffix(f".z{n + 1:02}")
        part.write_bytes(stream[n * volume : (n + 1) * volume])
    file.write_bytes(stream[number * volume :])


@pytest.fixture(scope="session")
def content() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    names = [f"1/{n % 3}/2010/{n:014x}" for n in range(9)]
    return {
        name: data
        for stem in names
        for name, data in (
            (f"data/image/{stem}.jpg", rng.bytes(int(rng.integers(0, 3000)))),
            (f"data/label/{stem}.txt", b"1\r\n1\n3 4 100 200\n" * 9),
        )
    }


@pytest.fixture
def archives(tmp_path: Path, content: dict[str, bytes]) -> Path:
    folder = tmp_path / "archives"
    folder.mkdir()
    write_zip(folder / "data.zip", content, 2000)
    surveillance = {f"sv_data/image/{n}/ü{n}.jpg": bytes([n]) * 500 for n in range(2)}
    write_zip(folder / "sv_data.zip", surveillance)
    return folder


def unpacked(archives: Path, dest: Path, password: str = PASSWORD) -> list[str]:
    lines: list[str] = []
    unpack_compcars(archives, dest, password, lines.append, RELEASE)
    return lines


def tree(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=20))
def test_decryption_undoes_the_published_encryption(plain, password):
    assert decrypted(encrypted(plain, password), password) == plain


@pytest.mark.parametrize("streamed", [0, 8])
def test_the_archives_of_these_tests_are_what_zipfile_reads(tmp_path, content, streamed):
    write_zip(tmp_path / "whole.zip", content, streamed=streamed)
    archive = SplitZip(tmp_path / "whole.zip")
    with zipfile.ZipFile(tmp_path / "whole.zip") as other:
        assert other.namelist() == [entry.name for entry in archive.entries] == list(content)
        for entry in archive.entries:
            expected = other.read(entry.name, PASSWORD.encode())
            assert archive.read(entry, PASSWORD.encode()) == expected == content[entry.name]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("volume", [100, 777, 5000, 10**6])
def test_any_split(tmp_path, content, volume, wide):
    write_zip(tmp_path / "a.zip", content, volume, wide)
    archive = SplitZip(tmp_path / "a.zip")
    assert {e.name: archive.read(e, PASSWORD.encode()) for e in archive.entries} == content
    assert len(archive.volumes) == 1 + len(list(tmp_path.glob("a.z[0-9]*")))


@pytest.mark.skipif(shutil.which("zip") is None, reason="needs Info-ZIP's zip")
def test_what_info_zip_writes(tmp_path):
    rng = np.random.default_rng(1)
    for n in range(9):
        for kind, size in (("image", 20_000), ("label", 30)):
            file = tmp_path / f"data/{kind}/1/2/{n}.{'jpg' if kind == 'image' else 'txt'}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(rng.bytes(size))
    command = ["zip", "-q", "-r", "-s", "64k", "-P", "pass word", "a/data.zip", "data"]
    (tmp_path / "a").mkdir()
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    assert len(list((tmp_path / "a").iterdir())) == 3
    lines = unpacked(tmp_path / "a", tmp_path / "out", "pass word")
    assert lines[-2:] == [
        f"{tmp_path / 'out/data/image'}: 9 .jpg of 9",
        f"{tmp_path / 'out/data/label'}: 9 .txt of 9",
    ]
    assert tree(tmp_path / "out/data") == tree(tmp_path / "data")


def test_both_archives_are_unpacked_and_counted(archives, content, tmp_path):
    lines = unpacked(archives, tmp_path / "out")
    surveillance = {f"sv_data/image/{n}/ü{n}.jpg": bytes([n]) * 500 for n in range(2)}
    assert tree(tmp_path / "out") == content | surveillance
    assert [line.rpartition(": ")[2] for line in lines] == [
        "9 .jpg of 9",
        "9 .txt of 9",
        "2 .jpg of 2",
    ]


def test_a_second_call_goes_on(archives, content, tmp_path, monkeypatch):
    reads = itertools.count()
    read = SplitZip.read

    def failing(self, entry, password):
        if next(reads) == compcars_unpack.TRIED + 10:
            raise KeyboardInterrupt
        return read(self, entry, password)

    monkeypatch.setattr(SplitZip, "read", failing)
    with pytest.raises(KeyboardInterrupt):
        unpacked(archives, tmp_path / "out")
    monkeypatch.setattr(SplitZip, "read", read)
    done = tree(tmp_path / "out")
    assert 0 < len(done) < len(content)
    first = next(iter(done))
    (tmp_path / "out" / first).write_bytes(b"cut")  # by another program, killed
    lines = unpacked(archives, tmp_path / "out")
    assert lines[0] == f"data.zip: {len(done) - 1} of {len(content)} files exist already"
    assert content.items() <= tree(tmp_path / "out").items()
    assert "18 of 18 files exist already" in unpacked(archives, tmp_path / "out")[0]


def test_a_wrong_password_is_told_before_anything_is_written(archives, tmp_path):
    message = "COMPCARS_PASSWORD does not open data.zip: .* instruction.txt"
    for password in ("wrong", "Wrong", "wr0ng", "w"):
        with pytest.raises(ValueError, match=message):
            unpacked(archives, tmp_path / "out", password)
    assert not (tmp_path / "out").exists()


def test_a_wrong_password_that_passes_the_first_check(archives, tmp_path, monkeypatch):
    read, reads = SplitZip.read, itertools.count()

    def lucky(self, entry, password):
        if next(reads) == 0:
            raise ValueError("data.zip is damaged: download it again")
        return read(self, entry, password)

    monkeypatch.setattr(SplitZip, "read", lucky)
    with pytest.raises(ValueError, match=r"COMPCARS_PASSWORD does not open data\.zip"):
        unpacked(archives, tmp_path / "out", "wrong")


def test_missing_and_damaged_volumes_are_named(archives, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"found neither data.zip nor sv_data.zip"):
        unpacked(tmp_path / "empty", tmp_path / "out")
    volume = archives / "data.z03"
    whole = volume.read_bytes()
    volume.unlink()
    with pytest.raises(FileNotFoundError, match=r"volumes of data.zip, .* missing: data.z03$"):
        unpacked(archives, tmp_path / "out")
    volume.write_bytes(b"<html>quota exceeded</html>")
    with pytest.raises(ValueError, match=r"data\.z0[23] is damaged.*: download it again"):
        unpacked(archives, tmp_path / "out")
    volume.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    with pytest.raises(ValueError, match=r"data\.z0[23] is damaged.*: download it again"):
        unpacked(archives, tmp_path / "out")
    volume.write_bytes(whole)
    (archives / "data.zip").write_bytes(b"<html>quota exceeded</html>")
    with pytest.raises(ValueError, match=r"data.zip is not a zip archive, or is truncated"):
        unpacked(archives, tmp_path / "out")


@pytest.mark.parametrize("name", ["../x.jpg", "/x.jpg", "a/../../x.jpg", "c:x.jpg", "..\\x.jpg"])
def test_no_file_leaves_the_folder(tmp_path, name):
    write_zip(tmp_path / "data.zip", {name: b"x"})
    with pytest.raises(ValueError, match="is outside the folder"):
        unpacked(tmp_path, tmp_path / "out")


def test_counts_that_are_not_the_releases_are_an_error(archives, tmp_path, content):
    few = dict(list(content.items())[:-2])
    write_zip(archives / "data.zip", few)
    with pytest.raises(ValueError, match=r"8 \.jpg in .*image instead of 9, 8 \.txt .* of 9: "):
        unpacked(archives, tmp_path / "out")


def test_a_full_disk_is_told_before(archives, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ValueError, match=r"out: data\.zip needs 1\.1 GB, but only 0\.0 GB"):
        unpacked(archives, tmp_path / "out")


def test_the_command(archives, tmp_path, monkeypatch):
    arguments = ["compcars-unpack", str(archives), str(tmp_path / "out")]
    monkeypatch.delenv("COMPCARS_PASSWORD", raising=False)
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1
    assert "set the environment variable COMPCARS_PASSWORD" in result.output
    monkeypatch.setenv("COMPCARS_PASSWORD", PASSWORD)
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1  # nine photos are not the release
    assert "there are 9 .jpg in" in result.output
    assert "instead of 136,726" in result.output
    assert len(tree(tmp_path / "out")) == 20
