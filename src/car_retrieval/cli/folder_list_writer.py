"""Write the lists of user folders for `--env=independent`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from car_retrieval.cli.earlier_lists import LISTS, Draw, draw_queries, earlier_lists, tell_changes
from car_retrieval.data.folder import walk_photos
from car_retrieval.data.folder_lists import (
    classes_of_folders,
    listed,
    numbered_classes,
    read_classes,
)
from car_retrieval.data.photo_table import by_kind, counted
from car_retrieval.datasets.image_files import ImageFiles
from car_retrieval.images.inspect import inspect_all
from car_retrieval.io.atomic import atomic

WORKERS = 2


def index_folder(
    gallery: Path,
    queries: Path | None,
    classes: Path | None,
    unlabelled: bool,
    out: Path,
    draw: Draw,
    force: bool,
    say: Callable[[str], None],
) -> int:
    """Write the lists of the environment `independent`, and links to the photos.

    Args:
        gallery: folder of photos; without `queries`, some of them become queries.
        queries: folder of query photos.
        classes: CSV of path and class; None: a photo's class is the path of its folder.
        unlabelled: the photos have no classes, whatever their folders are.
        out: folder for indexinfo.csv, tindexinfo.csv, test.npy, classes.csv (numbers of class
            names, kept across calls), left_out.csv, and the links traini and testi.
        draw: how to draw queries.
        force: replace lists and links of an earlier call; without it, the photos that they list
            stay gallery photos or queries.
        say: function that prints a line.

    Returns:
        Number of classes.

    Raises:
        ValueError: photos, classes or names are invalid; the message has the remedy.
        FileExistsError: there are lists of other photos, or by hand.
    """
    folders = [gallery] if queries is None else [gallery, queries]
    named = [_named(folder, classes, unlabelled, say) for folder in folders]
    labelled = bool((pd.concat(named)["Name"] != "").any())
    earlier = None if force else earlier_lists(out, labelled)
    if classes is not None:
        _refuse_other_photos(classes, named, folders)
    kept = out / "classes.csv"
    numbers = numbered_classes(pd.concat(named)["Name"], _read_numbers(kept))
    seen = [
        photos.assign(Class=photos["Name"].map(numbers.get)).join(
            inspect_all(ImageFiles(folder), photos["Path"].tolist(), WORKERS).drop(
                columns=["Path", "Width", "Height", "Truncated"]
            )
        )
        for photos, folder in zip(named, folders, strict=True)
    ]
    usable = [photos[photos["Problem"] == ""].reset_index(drop=True) for photos in seen]
    for photos, folder in zip(usable, folders, strict=True):
        if photos.empty:
            raise ValueError(f"{folder}: none of its photos can be read")
    if queries is None:
        drawn = draw_queries(usable[0], earlier, draw, labelled, say)
        usable = [usable[0][~drawn], usable[0][drawn]]
    tables = [listed(photos) for photos in usable]

    out.mkdir(parents=True, exist_ok=True)
    for link, folder in zip(("traini", "testi"), (gallery, queries or gallery), strict=True):
        point_to(out / link, folder, force)
    write_csv(pd.DataFrame({"Class": numbers.values(), "Name": numbers.keys()}), kept)
    for table, name in zip(tables, LISTS, strict=False):
        write_csv(table, out / name)
    with atomic(out / "test.npy") as part, part.open("wb") as stream:
        np.save(stream, tables[1][["Index", "Class"]].to_numpy(np.int64))
    _tell_unreadable(pd.concat(seen), out / "left_out.csv", say)
    if earlier is not None:
        tell_changes(earlier, tables, say)
    for table, kind in zip(tables, ("gallery photos", "queries"), strict=True):
        if labelled:
            count = counted(table["Class"].nunique(), "class", "classes")
            say(f"{len(table):,} {kind} of {count}")
    if not labelled:
        say(f"{counted(len(tables[0]), 'photo', 'photos')} without classes")
    return int(tables[0]["Class"].nunique())


def point_to(link: Path, folder: Path, force: bool) -> None:
    """Link `link` to a folder of photos.

    Raises:
        FileExistsError: it exists and has another target.
        OSError: the system does not support links.
    """
    if link.exists() and link.samefile(folder):
        return
    if link.is_symlink() and force:
        link.unlink()
    if link.exists() or link.is_symlink():
        hint = "--force replaces it" if link.is_symlink() else "move it away"
        raise FileExistsError(f"{link} exists and is not {folder}: {hint}")
    try:
        link.symlink_to(folder.resolve(), target_is_directory=True)
    except OSError as error:
        raise OSError(
            f"cannot link {link} to {folder} ({error.strerror}): put the photos there"
        ) from None


def write_csv(table: pd.DataFrame, file: Path) -> None:
    """Write a CSV atomically."""
    with atomic(file) as part:
        table.to_csv(part, index=False)


def _walked(folder: Path, say: Callable[[str], None]) -> list[str]:
    """Find the photos of a folder; prints a summary of other files."""
    walk = walk_photos(folder)
    if walk.other:
        files = counted(walk.other.total(), "file", "files")
        say(f"{folder}: {files} of other kinds: {walk.other_kinds()}")
    for name, why in walk.bad_names.items():
        say(f"{folder}/{name} is left out: {why}")
    if not walk.photos:
        raise ValueError(f"{folder}: no photo found below it")
    return walk.photos


def _named(
    folder: Path, classes: Path | None, unlabelled: bool, say: Callable[[str], None]
) -> pd.DataFrame:
    """Return Path and Name (class) of the photos of a folder; Name is empty without classes."""
    paths = _walked(folder, say)
    if unlabelled:
        return pd.DataFrame({"Path": paths, "Name": ""})
    if classes is None:
        named = classes_of_folders(paths, folder)
        if (named["Name"] == "").all():
            say(f"{folder}: no folders in it, so that the photos have no classes")
        return named
    rows = read_classes(classes)
    photos = rows[rows["Path"].isin(paths)].reset_index(drop=True)
    if unlisted := len(paths) - len(photos):
        photos_are = counted(unlisted, "photo is", "photos are")
        say(f"{folder}: {photos_are} not in {classes.name} and left out")
    return photos


def _refuse_other_photos(classes: Path, named: list[pd.DataFrame], folders: list[Path]) -> None:
    rows = read_classes(classes)
    missing = rows.loc[~rows["Path"].isin(pd.concat(named)["Path"]), "Path"]
    if len(missing):
        where = " or ".join(map(str, folders))
        raise ValueError(
            f"{classes}, line {missing.index[0] + 2}: no photo {missing.iloc[0]} in "
            f"{where} ({len(missing)} such rows); path is relative, with forward slashes"
        )
    for photos, folder in zip(named, folders, strict=True):
        if photos.empty:
            raise ValueError(f"{folder}: none of its photos is in {classes}")


def _read_numbers(file: Path) -> dict[str, int]:
    if not file.exists():
        return {}
    table = pd.read_csv(file, dtype={"Name": str}, keep_default_na=False)
    if set(table.columns) != {"Class", "Name"}:
        raise ValueError(
            f"{file} was not written by an earlier call: move it, or choose another --out"
        )
    return dict(zip(table["Name"], table["Class"].tolist(), strict=True))


def _tell_unreadable(photos: pd.DataFrame, file: Path, say: Callable[[str], None]) -> None:
    bad = photos.loc[photos["Problem"] != "", ["Path", "Problem"]]
    file.unlink(missing_ok=True)
    if bad.empty:
        return
    write_csv(bad, file)
    say(f"{counted(len(bad), 'photo', 'photos')} cannot be read and are left out, see {file}:")
    for line in by_kind(bad):
        say(f"  {line}")
