"""Atomic file writes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Write a file atomically: the yielded path replaces `path` at the end.

    Args:
        path: file to write; its folder is created.

    Yields:
        Path of a temporary file beside it, deleted on an error; a killed process leaves it behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def replaced(path: Path, data: bytes | None) -> Iterator[None]:
    """Replace a file before a block; an error in the block brings the old file back.

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
        with atomic(path) as part:
            part.write_bytes(data)
    else:
        path.unlink(missing_ok=True)
