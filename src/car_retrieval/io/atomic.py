"""Atomic file writes."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PROBE = 1 << 20  # bytes that a disk that is not full still takes


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Write a file atomically: the yielded path replaces `path` at the end.

    Args:
        path: file to write; its folder is created.

    Yields:
        Path of a temporary file beside it, deleted on an error; a killed process leaves it behind.

    Raises:
        OSError: the disk is full, whatever error the library that wrote the file made of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        yield part
        os.replace(part, path)
    except BaseException as error:
        full = isinstance(error, Exception) and _is_full(part, error)
        part.unlink(missing_ok=True)
        if not full:
            raise
        free = shutil.disk_usage(path.parent).free / 1e6
        raise OSError(
            f"the disk is full: {path} was not finished, and {free:,.1f} MB are free; "
            "delete something, such as old versions with kedro prune"
        ) from None


def _is_full(part: Path, error: Exception) -> bool:
    """Return whether a file could not be finished because the disk takes nothing more.

    Libraries say so in different words, or not at all: then the disk is asked.
    """
    told = re.search(r"os error (\d+)", str(error))
    if getattr(error, "errno", None) in FULL or (told and int(told[1]) in FULL):
        return True
    try:
        with part.open("ab") as file:
            file.write(bytes(PROBE))
    except OSError as refusal:
        return refusal.errno in FULL
    return False


@contextmanager
def replaced(path: Path, data: bytes | None) -> Iterator[None]:
    """Replace a file on disk before a block; an error in the block brings the old file back.

    Args:
        path: the file, which need not exist.
        data: its new contents; None deletes it.
    """
    old = path.read_bytes() if path.is_file() else None
    try:
        _put(path, data)
        yield
    except BaseException:
        _put(path, old)
        raise


def _put(path: Path, data: bytes | None) -> None:
    if data is not None:
        with atomic(path) as part, part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    else:
        path.unlink(missing_ok=True)
