"""Reader of CompCars: label files, name tables and the photo trees (Yang et al., CVPR 2015)."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

VIEWPOINTS = {-1: "uncertain", 1: "front", 2: "rear", 3: "side", 4: "front-side", 5: "rear-side"}
YEARS = range(1900, 2031)
TREE_MARKS = {"data": ("image", "label"), "sv_data": ("image", "sv_make_model_name.mat")}
BOX = ["x1", "y1", "x2", "y2"]


class Label(NamedTuple):
    """Content of a label file: viewpoint and box in 1-based inclusive pixels."""

    viewpoint: int
    box: tuple[int, int, int, int]


def parse_label(text: str) -> Label:
    r"""Parse a label file: viewpoint, number of boxes (always 1), `x1 y1 x2 y2`.

    Any newline separates lines, because the release mixes line ends within a file.

    >>> parse_label("4\r\n1\n52 153 849 506\n")
    Label(viewpoint=4, box=(52, 153, 849, 506))

    Raises:
        ValueError: the label is malformed.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    try:
        viewpoint, count, box = int(lines[0]), int(lines[1]), [int(x) for x in lines[2].split()]
    except (IndexError, ValueError):
        raise ValueError(
            "label does not have the lines viewpoint, number of boxes, x1 y1 x2 y2"
        ) from None
    if viewpoint not in VIEWPOINTS:
        raise ValueError(f"label has unknown viewpoint {viewpoint}")
    if count != 1 or len(box) != 4:
        raise ValueError("label does not have exactly one box")
    if not all(map(_fits, box)):
        raise ValueError("label has a number that exceeds 64 bits")
    return Label(viewpoint, (box[0], box[1], box[2], box[3]))


def parse_year(folder: str) -> int | None:
    """Parse a year from 1900 to 2030; None for others (the release has `unknown` and 5008)."""
    return int(folder) if folder.isdecimal() and int(folder) in YEARS else None


def read_names(mat: Path) -> tuple[list[str | None], list[str | None]]:
    """Read `make_model_name.mat`: names of makes and models; row i has id i + 1.

    Names are for display only, since they repeat and are padded: join on ids.
    """
    makes, models = _load_mat(mat, {"make_names": _cell_text, "model_names": _cell_text})
    return makes, models


def read_surveillance_names(mat: Path) -> pd.DataFrame:
    """Read `sv_make_model_name.mat`: MakeName, ModelName, Class (web model id), indexed by folder.

    Row i of the file is folder i + 1. A row without an id gets class -1 (no ground truth).
    """
    (rows,) = _load_mat(mat, {"sv_make_model_name": _surveillance_names})
    folders = pd.RangeIndex(1, len(rows) + 1, name="folder")
    return pd.DataFrame(rows, columns=["MakeName", "ModelName", "Class"], index=folders)


def find_tree(root: Path, name: str) -> Path:
    """Find the folder of a tree: `root` itself or its child `name`.

    Args:
        root: folder that is, or contains, the tree.
        name: `data` or `sv_data`.

    Raises:
        FileNotFoundError: neither folder contains the tree's files.
    """
    marks = TREE_MARKS[name]
    for folder in (root / name, root):
        if all((folder / mark).exists() for mark in marks):
            return folder
    raise FileNotFoundError(
        f"{root}: found {' and '.join(marks)} neither in it nor in {name}/ below it; set "
        "COMPCARS_ROOT, or root in conf/compcars/globals.yml, to the folder where CompCars was "
        "unpacked"
    )


def list_web(root: Path) -> pd.DataFrame:
    """List the web photos: `image/<make>/<model>/<year>/<name>.jpg`, labels in `label/`.

    Args:
        root: folder that is, or contains, `data/`.

    Returns:
        One row per photo, sorted by path: Path, FileName, View Point, Year (nullable), CarMake,
        Class (model id), x1, y1, x2, y2, MakeName, ModelName, Problem (why it cannot be used).
    """
    tree = find_tree(root, "data")
    rows = [
        _web_row(tree, path)
        for path in tqdm(_photos(tree / "image"), "listing web photos", disable=None, unit="photo")
    ]
    columns = ["Path", "FileName", "View Point", "Year", "CarMake", "Class", *BOX, "Problem"]
    table = pd.DataFrame(rows, columns=columns)
    numbers = {name: "Int64" for name in ["View Point", "Year", "CarMake", "Class", *BOX]}
    table = table.astype(numbers | {"Problem": "str", "Path": "str", "FileName": "str"})
    makes, models = read_names(tree / "misc" / "make_model_name.mat")
    table["MakeName"] = _name(table["CarMake"], makes)
    table["ModelName"] = _name(table["Class"], models)
    return table


def list_surveillance(root: Path) -> pd.DataFrame:
    """List the surveillance photos: `image/<folder>/<name>.jpg`, classes from the .mat file.

    Args:
        root: folder that is, or contains, `sv_data/`.

    Returns:
        One row per photo, sorted by path: Path, FileName, Class (web model id, -1 unknown),
        MakeName, ModelName, List (`train`, `test` or empty), Problem.
    """
    tree = find_tree(root, "sv_data")
    names = read_surveillance_names(tree / "sv_make_model_name.mat")
    official = {
        path: part
        for part in ("train", "test")
        for path in _read_list(tree / f"{part}_surveillance.txt")
    }
    rows = []
    for path in _photos(tree / "image"):
        folder, _, name = path.rpartition("/")
        known = folder.isdecimal() and int(folder) in names.index
        make, model, class_ = names.loc[int(folder)] if known else (None, None, None)
        problem = "" if known else "folder is not a row of sv_make_model_name.mat"
        rows.append((path, name, class_, make, model, official.pop(path, ""), problem))
    rows += [
        (path, path.rpartition("/")[2], None, None, None, part, "file not found")
        for path, part in sorted(official.items())
    ]
    columns = ["Path", "FileName", "Class", "MakeName", "ModelName", "List", "Problem"]
    return pd.DataFrame(rows, columns=columns).astype({"Class": "Int64"})


def _web_row(tree: Path, path: str) -> tuple:
    parts = path.split("/")
    name = parts[-1]
    viewpoint: int | None = None
    box: tuple[int | None, ...] = (None,) * 4
    if len(parts) != 4 or not all(id_.isdecimal() and _fits(int(id_)) for id_ in parts[:2]):
        return (path, name, None, None, None, None, *box, "path is not make/model/year/name.jpg")
    problem = ""
    try:
        label = (tree / "label" / path).with_suffix(".txt").read_text("ascii")
        viewpoint, box = parse_label(label)
    except FileNotFoundError:
        problem = "label file not found"
    except OSError as error:
        problem = f"label file cannot be read: {error.strerror}"
    except ValueError as error:
        problem = str(error)
    make, model, year = parts[:3]
    return (path, name, viewpoint, parse_year(year), int(make), int(model), *box, problem)


def _photos(folder: Path) -> Iterator[str]:
    """Yield the relative paths of a tree's JPEGs, sorted; other files are ignored.

    Bytes of a name that are not UTF-8, which no CSV can store, become �: the file is not found.
    """
    for parent, folders, files in os.walk(folder):
        folders.sort()
        relative = Path(parent).relative_to(folder)
        for file in sorted(files):
            if file.lower().endswith((".jpg", ".jpeg")) and not file.startswith("."):
                yield os.fsencode((relative / file).as_posix()).decode(errors="replace")


def _read_list(file: Path) -> list[str]:
    if not file.exists():
        return []
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not a UTF-8 list of photos: {error}") from None
    return [line.strip() for line in lines if line.strip()]


def _fits(number: int) -> bool:
    return -(2**63) <= number < 2**63


def _load_mat(mat: Path, row_of: dict[str, Callable[..., Any]]) -> list[list[Any]]:
    """Read tables of a .mat file; `row_of` converts the cells of a row, by table name."""
    from scipy.io import loadmat

    if not mat.is_file():
        raise FileNotFoundError(
            f"{mat} does not exist: it contains {', '.join(row_of)} of CompCars"
        )
    try:
        content = loadmat(mat)
        return [[row(*cells) for cells in content[name]] for name, row in row_of.items()]
    except Exception as error:  # scipy raises various exceptions on a damaged file
        raise ValueError(f"{mat}: cannot read {', '.join(row_of)} ({error})") from None


def _surveillance_names(
    make: np.ndarray, model: np.ndarray, id_: np.ndarray
) -> tuple[str | None, str | None, int]:
    return _cell_text(make), _cell_text(model), _cell_id(id_)


def _cell_text(cell: np.ndarray) -> str | None:
    return str(cell.item()).strip() if cell.size else None


def _cell_id(cell: np.ndarray) -> int:
    id_ = int(cell.item()) if cell.size else 0
    return id_ if id_ > 0 and _fits(id_) else -1


def _name(ids: pd.Series, names: list[str | None]) -> pd.Series:
    return ids.map({number: name for number, name in enumerate(names, start=1) if name})
