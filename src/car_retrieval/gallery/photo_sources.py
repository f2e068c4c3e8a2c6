"""Photos to add: files, folders, and CSV files with labels."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from car_retrieval.data.folder import walk_photos
from car_retrieval.data.folder_lists import class_of_folder
from car_retrieval.gallery.checked_labels import STANDARD, checked
from car_retrieval.gallery.photos import OURS
from car_retrieval.gallery.record import Labels

STDIN = "-"


@dataclass(frozen=True)
class Source:
    """A file to add, and its labels."""

    file: Path
    labels: Labels


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
        yield from _lines(stdin.read().splitlines(), common)
    elif path.is_dir():
        for photo in walk_photos(path).photos:
            class_ = common.class_ or class_of_folder(photo) or None
            yield Source(path / photo, replace(common, class_=class_))
    elif not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    elif path.suffix.lower() == ".csv":
        try:
            lines = path.read_text("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} cannot be read as CSV: save it as UTF-8 ({error})") from None
        yield from _rows(lines, path.parent, common, str(path))
    else:
        yield Source(path, common)


def _lines(lines: list[str], common: Labels) -> Iterator[Source]:
    if lines and "path" in (cell.strip().lower() for cell in next(csv.reader(lines[:1]), [])):
        yield from _rows(lines, Path(), common, "standard input")
        return
    for line in filter(None, map(str.strip, lines)):
        yield Source(Path(line), common)


def _rows(lines: Iterable[str], folder: Path, common: Labels, name: str) -> Iterator[Source]:
    reader = csv.DictReader(lines)
    columns = [column or "" for column in reader.fieldnames or []]
    keys = {column: column.strip() for column in columns}
    keys |= {column: key.lower() for column, key in keys.items() if key.lower() in STANDARD}
    if list(keys.values()).count("path") != 1:
        raise ValueError(f"{name}, line 1: a CSV needs one column path; found {', '.join(columns)}")
    reserved = [key for key in keys.values() if key in OURS]
    if reserved:
        raise ValueError(f"{name}, line 1: the column name {reserved[0]} is reserved; rename it")
    for row in reader:
        where = f"{name}, line {reader.line_num}"
        if None in row or None in row.values():
            raise ValueError(
                f"{where}: has {'more' if None in row else 'fewer'} fields than line 1"
            )
        cells = {keys[column]: value.strip() for column, value in row.items()}
        path = cells.pop("path")
        if not path:
            raise ValueError(f"{where}: path is empty")
        yield Source(folder / path, _labels(cells, common, where))


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
