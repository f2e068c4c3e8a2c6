"""Reader of Cars196: two official layouts, and crops with a CSV (Krause et al., 3dRR 2013)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from car_retrieval.data.compcars import BOX

MAKES_OF_TWO_WORDS = ("AM General", "Aston Martin", "Land Rover")
LABELS = "labels.csv"
ALL_ANNOTATIONS = "cars_annos.mat"
TRAIN_ANNOTATIONS, TEST_ANNOTATIONS = "cars_train_annos.mat", "cars_test_annos_withlabels.mat"
NAMES = "cars_meta.mat"
Row = tuple[str, int, str | None, tuple[int | None, ...]]
"""Path, class, class name, box."""


class Name(NamedTuple):
    """Class name, parsed."""

    make: str
    model: str
    year: int | None


def parse_name(name: str) -> Name:
    """Split a class name into make, model and year.

    >>> parse_name("Aston Martin V8 Vantage Coupe 2012")
    Name(make='Aston Martin', model='V8 Vantage Coupe', year=2012)
    """
    found = re.fullmatch(r"(.*?)(?:\s+((?:19|20)\d\d))?", name.strip())
    text, year = found.groups() if found else (name, None)
    long = next((make for make in MAKES_OF_TWO_WORDS if text.startswith(make + " ")), None)
    make = long or text.partition(" ")[0]
    return Name(make, text[len(make) :].strip() or text, int(year) if year else None)


def parse_classes(text: str) -> range:
    """Parse an inclusive range of classes: `1-98`, or `7` for one.

    Raises:
        ValueError: the text is not a range.
    """
    found = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", text)
    first, last = (int(part) for part in (found[1], found[2] or found[1])) if found else (1, 0)
    if first > last:
        raise ValueError(f"'{text}' is not a range of classes such as 1-98")
    return range(first, last + 1)


def list_cars(root: Path, classes: range) -> pd.DataFrame:
    """List the photos of some classes in any supported layout.

    Args:
        root: folder with `labels.csv` (Path, Class, Name) and the photos it lists; or with
            `cars_annos.mat` and `car_ims/`; or with `cars_train/`, `cars_test/` and, directly or in
            `devkit/`, their annotations and `cars_meta.mat`.
        classes: classes to list.

    Returns:
        One row per photo, sorted by path: Path relative to the root, Class, MakeName, ModelName,
        Year, and x1, y1, x2, y2 (empty with a CSV: the full photo).

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is malformed, lists a photo twice, or has no photo of these classes.
    """
    source, rows = _rows(root)
    listed = [row for row in rows if row[1] in classes]
    if not listed:
        raise ValueError(f"{source}: no photos of the classes {classes[0]}-{classes[-1]}")
    paths, numbers, names, boxes = zip(*sorted(listed, key=lambda row: row[0]), strict=True)
    table = pd.DataFrame({"Path": paths, "Class": numbers})
    if (twice := table["Path"].duplicated()).any():
        raise ValueError(f"{source}: duplicate path '{table['Path'][twice].iloc[0]}'")
    known = [parse_name(name) if name else Name("", "", None) for name in names]
    table["MakeName"] = pd.Series([name.make or None for name in known], dtype="str")
    table["ModelName"] = pd.Series([name.model or None for name in known], dtype="str")
    table["Year"] = pd.array([name.year for name in known], "Int64")
    return table.join(pd.DataFrame(boxes, columns=BOX, dtype="Int64"))


def _rows(root: Path) -> tuple[Path, list[Row]]:
    """Read all photos; returns the file found and its rows."""
    if (labels := root / LABELS).is_file():
        return labels, list(_of_csv(labels))
    if (annotations := root / ALL_ANNOTATIONS).is_file():
        content = _load_mat(annotations, ("annotations", "class_names"))
        names = _names(annotations, content)
        return annotations, list(_of_mat(annotations, content, "relative_im_path", "", names))
    found = [_below(root, name) for name in (TRAIN_ANNOTATIONS, TEST_ANNOTATIONS, NAMES)]
    if not any(found[:2]):
        raise FileNotFoundError(
            f"{root}: found neither {LABELS} nor {ALL_ANNOTATIONS} nor devkit/{TRAIN_ANNOTATIONS}; "
            "set CARS196_ROOT, or root in conf/cars196/globals.yml, to the folder of Cars196"
        )
    rows: list[Row] = []
    for file, name in zip(found, (TRAIN_ANNOTATIONS, TEST_ANNOTATIONS, NAMES), strict=True):
        if file is None:
            raise FileNotFoundError(f"{root}: found {name} neither in it nor in devkit/ below it")
        content = _load_mat(file, ("class_names",) if name == NAMES else ("annotations",))
        if name == NAMES:
            names = _names(file, content)
            rows = [(path, class_, names.get(class_), box) for path, class_, _, box in rows]
        else:
            folder = "cars_train/" if name == TRAIN_ANNOTATIONS else "cars_test/"
            rows += _of_mat(file, content, "fname", folder, {})
    return root, rows


def _below(root: Path, name: str) -> Path | None:
    return next((file for file in (root / "devkit" / name, root / name) if file.is_file()), None)


def _of_csv(file: Path) -> Iterator[Row]:
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except ValueError as error:  # includes UnicodeDecodeError
        raise ValueError(f"{file} cannot be read as CSV: {str(error).strip()}") from None
    for name in ("Path", "Class", "Name"):
        if name not in table:
            raise ValueError(f"{file}: no column {name}; required: Path, Class and Name")
    for line, row in enumerate(table.fillna("").to_dict("records"), start=2):
        if not re.fullmatch(r"\s*\d{1,9}\s*", row["Class"]):
            raise ValueError(f"{file}, line {line}, Class: '{row['Class']}' is not a class number")
        if not row["Path"].strip() or "\\" in row["Path"]:
            raise ValueError(
                f"{file}, line {line}, Path: '{row['Path']}' is not a path with forward slashes"
            )
        yield row["Path"], int(row["Class"]), row["Name"].strip() or None, (None,) * 4


def _load_mat(file: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    from scipy.io import loadmat

    try:
        content = loadmat(file, variable_names=needed)
    except Exception as error:  # scipy raises various exceptions on a damaged file
        raise ValueError(f"{file} cannot be read as a .mat file: {error}") from None
    for name in needed:
        if name not in content:
            raise ValueError(f"{file}: no variable {name}")
    return content


def _names(file: Path, content: dict[str, Any]) -> dict[int, str]:
    """Return class names by number, from 1."""
    try:
        cells = content["class_names"].ravel()
        return {number: str(cell.item()) for number, cell in enumerate(cells, start=1)}
    except (AttributeError, ValueError) as error:
        raise ValueError(f"{file}: class_names is not a cell array of names ({error})") from None


def _of_mat(
    file: Path, content: dict[str, Any], path: str, folder: str, names: dict[int, str]
) -> Iterator[Row]:
    """Yield the photos of the struct array `annotations`, one struct per photo."""
    annotations = content["annotations"].ravel()
    fields = (path, "class", "bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")
    for name in fields:
        if name not in (annotations.dtype.names or ()):
            raise ValueError(f"{file}: annotations has no field {name}")
    for number, photo in enumerate(annotations, start=1):
        try:
            where, class_, *box = (photo[name].item() for name in fields)
            class_, box = int(class_), [int(side) for side in box]
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"{file}: annotation {number} is malformed ({error})") from None
        yield f"{folder}{where}", class_, names.get(class_), tuple(box)
