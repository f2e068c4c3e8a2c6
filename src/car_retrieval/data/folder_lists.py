"""Photo lists of `kedro run --env=independent` from folders of photos."""

import unicodedata
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from car_retrieval.data.near_duplicates import near_groups
from car_retrieval.data.splits import TRAIN, VALID, split_gallery

OURS = ["Index", "Hash", "DHash", "Width", "Height", "Problem"]
GALLERY, QUERY = TRAIN, VALID  # drawn as the sides of a split are
COLUMNS = ["Path", "Index", "Class", "MakeName", "ModelName"]


def class_of_folder(path: str) -> str:
    """Return a photo's class: the full path of its folder, so that every folder is a class.

    >>> class_of_folder("Audi/A4/2009/1.jpg")
    'Audi/A4/2009'
    """
    return unicodedata.normalize("NFC", path.rpartition("/")[0])


def classes_of_folders(paths: list[str], folder: object) -> pd.DataFrame:
    """List Path and Name (class) of photos whose class is their folder.

    Photos of a folder without folders have no class: their Name is empty.

    Raises:
        ValueError: a photo lies directly in `folder`, others in folders.
    """
    table = pd.DataFrame({"Path": paths, "Name": [class_of_folder(path) for path in paths]})
    loose = table.loc[table["Name"] == "", "Path"]
    if 0 < len(loose) < len(table):
        raise ValueError(
            f"{folder}/{loose.iloc[0]} is not in a class folder ({len(loose)} such photos): "
            "move it into one named after its class, give the classes in a CSV (--classes), or "
            "list all photos without classes (--unlabelled)"
        )
    return table


def read_classes(file: Path) -> pd.DataFrame:
    """Read a CSV of `path` and `class`: Path, Name and further columns, as text.

    Without a column `class`, or if it is empty, the photos have no class: their Name is empty.

    Raises:
        ValueError: the CSV is malformed; the message has file and line (1 is the header).
    """
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except ValueError as error:
        raise ValueError(f"{file} cannot be read as CSV in UTF-8: {str(error).strip()}") from None
    wanted = {name: name.lower() for name in table.columns if name.lower() in ("path", "class")}
    if sorted(wanted.values()) not in (["class", "path"], ["path"]):
        raise ValueError(
            f"{file}: requires exactly one column path and, for photos with classes, one column "
            "class"
        )
    table = table.drop(columns="Name", errors="ignore")  # Name is the class here
    table = table.rename(columns=wanted).rename(columns={"path": "Path", "class": "Name"})
    names = table["Name"] if "Name" in table else [""] * len(table)
    table["Name"] = [unicodedata.normalize("NFC", name).strip() for name in names]
    for bad, why in (
        (table["Name"].eq("") & bool(table["Name"].ne("").any()), "has no class"),
        (table["Path"].duplicated(), "is a duplicate path"),
    ):
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise ValueError(f"{file}, line {row + 2}: {table['Path'][row]} {why}")
    return table.drop(columns=OURS, errors="ignore")


def numbered_classes(names: pd.Series, kept: Mapping[str, int]) -> dict[str, int]:
    """Number all class names: existing numbers are kept, new names follow alphabetically.

    Raises:
        ValueError: two names differ only in case or spaces.
    """
    numbers = dict(kept)
    for name in sorted(set(names) - set(kept) - {""}):
        numbers[name] = max(numbers.values(), default=-1) + 1
    alike: dict[str, str] = {}
    for name in numbers:
        if (other := alike.setdefault("".join(name.casefold().split()), name)) != name:
            raise ValueError(
                f"the classes '{other}' and '{name}' differ only in case or spaces: use one name, "
                "or names that differ more (classes.csv keeps the names of earlier calls)"
            )
    return numbers


def drawn_queries(
    photos: pd.DataFrame,
    ratio: int | None,
    near_duplicates: int,
    seed: int,
    earlier: pd.Series | None = None,
) -> pd.Series:
    """Draw a query mask: one in `ratio` photos of each class, near-duplicates on one side.

    Args:
        photos: Path, Class, Hash, DHash.
        ratio: photos of a class per query; None: only near-duplicates of earlier queries are drawn.
        near_duplicates: largest Hamming distance of near-duplicates, see `near_groups`.
        seed: seed of the random draw.
        earlier: `QUERY` or `GALLERY` of photos of earlier lists, which they stay; missing for new
            ones, by the index of `photos`.

    Returns:
        bool, by the index of `photos`.
    """
    grouped = photos.assign(Index=photos.index, Group=near_groups(photos, near_duplicates))
    kept = pd.Series(pd.NA, photos.index, dtype=object) if earlier is None else earlier
    split = split_gallery(grouped, ratio or len(photos) + 1, False, seed, kept)["split"]
    return ((split == QUERY) & (kept != GALLERY)) | (kept == QUERY)


def listed(photos: pd.DataFrame) -> pd.DataFrame:
    """Build a list for `read_index`: Path, Index, Class, names and other known columns.

    The first of nested class folders is the make, unless the photos already have make names.
    Photos without a class have no names.
    """
    table = photos.drop(columns=["Name", "Hash", "DHash", "Problem"])
    table["Index"] = np.arange(len(photos))
    if table.empty or table["Class"].isna().any():
        return table[["Path", "Index", "Class", *table.columns.drop(["Path", "Index", "Class"])]]
    first, slash, rest = (photos["Name"].str.partition("/")[part] for part in range(3))
    if "ModelName" not in table:
        table["ModelName"] = rest.where(slash != "", first)
    if "MakeName" not in table and slash.any():
        table["MakeName"] = first.where(slash != "", "")
    order = [name for name in COLUMNS if name in table]
    return table[[*order, *(name for name in table if name not in COLUMNS)]]
