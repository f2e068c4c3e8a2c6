"""Datasets of tables, JSON values and text whose files are written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from fsspec.implementations.local import LocalFileSystem
from kedro_datasets import json, pandas, text

from car_retrieval.io.atomic import atomic


class _AtomicFiles(LocalFileSystem):
    """Local files, of which no reader and no killed process sees a half."""

    def open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        """Open a file; one that is written appears when it is closed without an error."""
        if "w" not in mode:
            return super().open(path, mode, **options)
        return _opened(Path(self._strip_protocol(path)), mode, options.get("encoding"))


@contextmanager
def _opened(path: Path, mode: str, encoding: str | None) -> Iterator[IO[Any]]:
    with atomic(path) as part, part.open(mode, encoding=encoding) as file:
        yield file


class _Whole:
    _protocol: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self._protocol == "file":
            self._fs = _AtomicFiles()


class CSVDataset(_Whole, pandas.CSVDataset):
    """Table as CSV."""


class JSONDataset(_Whole, json.JSONDataset):
    """JSON value."""


class TextDataset(_Whole, text.TextDataset):
    """Text."""
