"""Photos to add: files, folders, and CSV files with labels."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from car_retrieval.data.folder import walk_photos
from car_retrieval.data.folder_lists import class_of_folder
from car_retrieval.gallery.checked_labels import checked
from car_retrieval.gallery.photos import OURS
from car_retrieval.gallery.record import STANDARD, Labels, photo_id

STDIN = "-"


@dataclass(frozen=True)
class Source:
    """A file to add, and its labels.

    Attributes:
        file: the file; with `listed`, its path relative to the folder of the gallery photos.
        labels: what is known about it.
        listed: whether it is a gallery photo of a CSV that `kedro gallery list` printed.
        problem: why it cannot be added; "": it can.
    """

    file: Path
    labels: Labels
    listed: bool = False
    problem: str = ""


def photos_of(names: Sequence[str], common: Labels, stdin: TextIO) -> list[Source]:
    """List the photos of files, folders, CSV files and standard input (`-`).

    The class of a photo in a subfolder of a folder is the path of the subfolder, unless `common`
    has one. Standard input holds a path a line, or a CSV.

    Args:
        names: the names given.
        common: labels of all photos; those of a CSV are preferred.
        stdin: standard input.

    Returns:
        The photos; a file that occurs again is listed with its last labels.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: a CSV is malformed; the message has file and line.
    """
    found: dict[Path, Source] = {}
    for name in names:
        for source in _sources(name, common, stdin):
            found[source.file] = source
    return list(found.values())


def _sources(name: str, common: Labels, stdin: TextIO) -> Iterator[Source]:
    path = Path(name)
    if name == STDIN:
        try:
            yield from _lines(stdin.read().removeprefix("\ufeff"), common)
        except UnicodeDecodeError as error:
            raise ValueError(f"standard input is not UTF-8 ({error})") from None
    elif path.is_dir():
        walk = walk_photos(path)
        for photo in walk.photos:
            class_ = common.class_ or class_of_folder(photo) or None
            yield Source(path / photo, replace(common, class_=class_))
        for photo, why in walk.bad_names.items():
            yield Source(path / photo, common, problem=why)
    elif not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    elif path.suffix.lower() == ".csv":
        try:
            text = path.read_text("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} cannot be read as CSV: save it as UTF-8 ({error})") from None
        yield from _rows(text, path.parent, common, str(path))
    else:
        yield Source(path, common)


def _lines(text: str, common: Labels) -> Iterator[Source]:
    lines = text.split("\n")
    if "path" in (cell.strip().strip('"').lower() for cell in lines[0].split(",")):
        yield from _rows(text, Path(), common, "standard input")
        return
    for line in filter(None, map(str.strip, lines)):
        yield Source(Path(line), common)


def _rows(text: str, folder: Path, common: Labels, name: str) -> Iterator[Source]:
    records = _records(text, name)
    _, header = next(records, (0, []))
    columns = [column.strip() for column in header]
    columns = [column.lower() if column.lower() in STANDARD else column for column in columns]
    if columns.count("path") != 1:
        raise ValueError(f"{name}, line 1: a CSV needs one column path; found {', '.join(header)}")
    for column in filter(None, columns):
        if column in OURS:
            raise ValueError(f"{name}, line 1: the column name {column} is reserved; rename it")
        if columns.count(column) > 1:
            raise ValueError(f"{name}, line 1: there are several columns {column}; rename them")
    for line, cells in records:
        where = f"{name}, line {line}"
        if len(cells) != len(columns):
            raise ValueError(
                f"{where}: has {'more' if len(cells) > len(columns) else 'fewer'} fields than "
                "line 1"
            )
        values = {key: cell.strip() for key, cell in zip(columns, cells, strict=True) if cell}
        path = values.pop("path", "")
        if not path:
            raise ValueError(f"{where}: path is empty")
        labels = _labels(values, common, where)
        if values.get("id") == photo_id(path) and ".." not in path.split("/"):
            yield Source(Path(path), labels, listed=True)
        else:
            yield Source(folder / path, labels)


def _records(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records of a CSV that are not blank, with the number of their last line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        yield from ((reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        raise ValueError(f"{name}, line {reader.line_num}: {error}; check the quotes") from None


def _labels(cells: Mapping[str, str], common: Labels, where: str) -> Labels:
    known = {key: value for key, value in cells.items() if value}
    year = known.get("year", "")
    if year and not year.removesuffix(".0").isdecimal():
        raise ValueError(f"{where}: year '{year}' is not a number")
    labels = Labels(
        known.get("class", common.class_),
        known.get("make", common.make),
        known.get("model", common.model),
        int(year.removesuffix(".0")) if year else common.year,
        None,
        {**common.fields, **{key: known[key] for key in known if key not in STANDARD}},
    )
    try:
        return checked(labels)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
