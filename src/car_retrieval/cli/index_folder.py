"""`kedro index-folder`: list the photos of user folders, without copying them."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pandas as pd
from kedro.framework.session import KedroSession

from car_retrieval.cli.errors import PlainErrorCommand
from car_retrieval.data.folder import walk_photos
from car_retrieval.data.folder_lists import (
    classes_of_folders,
    drawn_queries,
    listed,
    numbered_classes,
    read_classes,
)
from car_retrieval.data.photo_table import by_kind, counted
from car_retrieval.datasets.image_files import ImageFiles
from car_retrieval.images.inspect import inspect_all
from car_retrieval.io.atomic import atomic

LISTS = ("indexinfo.csv", "tindexinfo.csv", "test.npy")
WORKERS = 2


@click.command("index-folder", cls=PlainErrorCommand)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--queries", type=click.Path(path_type=Path), help="Folder of query photos.")
@click.option(
    "--classes", type=click.Path(path_type=Path), help="CSV with the columns path and class."
)
@click.option(
    "--unlabelled",
    is_flag=True,
    help="Photos without classes: encode them with the pretrained network, for kedro search.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the lists; default: `root` of --env."
)
@click.option(
    "--query-ratio",
    type=click.IntRange(min=2),
    default=7,
    show_default=True,
    help="Without --queries: photos of a class per query drawn from it.",
)
@click.option(
    "--near-duplicates",
    type=click.IntRange(0, 7),
    default=5,
    show_default=True,
    help="Largest Hamming distance of the 64-bit hashes of near-duplicates, which stay together.",
)
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@click.option("--force", is_flag=True, help="Replace the lists of an earlier call.")
@click.option("--env", default="independent", show_default=True)
def command(
    folder: Path,
    queries: Path | None,
    classes: Path | None,
    unlabelled: bool,
    out: Path | None,
    query_ratio: int,
    near_duplicates: int,
    seed: int,
    force: bool,
    env: str,
) -> None:
    """List your own photos for `kedro run --env=independent`.

    The class of a photo is its folder, or is given in a CSV. Photos are not moved or copied.
    """
    if unlabelled and (queries or classes):
        raise ValueError("--unlabelled excludes --queries and --classes")
    variable = f"INDEPENDENT_ROOT={shlex.quote(str(out))} " if out else ""
    if out is None:
        context = KedroSession.create(env=env).load_context()
        root = Path(context.config_loader["globals"]["root"]).expanduser()
        out = Path(context.project_path) / root
    if unlabelled:
        index_unlabelled(folder, out, force, say=click.echo)
        _describe(env, out if variable else None)
        click.echo(f"next: {variable}kedro search PHOTO --env={env}")
        return
    index_folder(
        folder, queries, classes, out, query_ratio, near_duplicates, seed, force, say=click.echo
    )
    click.echo(f"lists in {out}; next: {variable}kedro run --env={env}")


def index_folder(
    gallery: Path,
    queries: Path | None,
    classes: Path | None,
    out: Path,
    query_ratio: int,
    near_duplicates: int,
    seed: int,
    force: bool,
    say: Callable[[str], None],
) -> None:
    """Write the lists of the environment `independent`, and links to the photos.

    Args:
        gallery: folder of photos; without `queries`, some of them become queries.
        queries: folder of query photos.
        classes: CSV of path and class; None: a photo's class is the path of its folder.
        out: folder for indexinfo.csv, tindexinfo.csv, test.npy, classes.csv (numbers of class
            names, kept across calls), left_out.csv, and the links traini and testi.
        query_ratio: photos of a class per query.
        near_duplicates: largest Hamming distance of near-duplicates, which are drawn together.
        seed: seed of the random draw of queries.
        force: replace lists and links of an earlier call.
        say: function that prints a line.

    Raises:
        ValueError: photos, classes or names are invalid; the message has the remedy.
        FileExistsError: the lists exist already.
    """
    folders = [gallery] if queries is None else [gallery, queries]
    named = [_named(folder, classes, say) for folder in folders]
    _refuse_lists(out, force)
    if classes is not None:
        _refuse_other_photos(classes, named, folders)
    kept = out / "classes.csv"
    numbers = numbered_classes(pd.concat(named)["Name"], _read_numbers(kept))
    seen = [
        photos.assign(Class=photos["Name"].map(numbers)).join(
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
        drawn = drawn_queries(usable[0], query_ratio, near_duplicates, seed)
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
    for table, kind in zip(tables, ("gallery photos", "queries"), strict=True):
        say(f"{len(table):,} {kind} of {counted(table['Class'].nunique(), 'class', 'classes')}")


def index_unlabelled(folder: Path, out: Path, force: bool, say: Callable[[str], None]) -> None:
    """Write the list of photos without classes, which has no queries, and the link to them.

    Args:
        folder: folder of the photos, which may be in subfolders.
        out: folder for indexinfo.csv, left_out.csv, and the link traini.
        force: replace the lists of an earlier call; its query lists are deleted.
        say: function that prints a line.

    Raises:
        ValueError: there is no usable photo.
        FileExistsError: the lists exist already.
    """
    paths = _walked(folder, say)
    _refuse_lists(out, force)
    seen = inspect_all(ImageFiles(folder), paths, WORKERS)
    usable = seen.loc[seen["Problem"] == "", "Path"].tolist()
    if not usable:
        raise ValueError(f"{folder}: none of its photos can be read")

    out.mkdir(parents=True, exist_ok=True)
    point_to(out / "traini", folder, force)
    for name in LISTS:
        (out / name).unlink(missing_ok=True)
    write_csv(
        pd.DataFrame({"Path": usable, "Index": range(len(usable)), "Class": ""}), out / LISTS[0]
    )
    _tell_unreadable(seen, out / "left_out.csv", say)
    say(f"{counted(len(usable), 'photo', 'photos')} without classes")


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


def _describe(env: str, root: Path | None) -> None:
    """Run the pipeline zero_shot; `root`: folder of the lists, if not that of the environment."""
    if root:
        os.environ["INDEPENDENT_ROOT"] = str(root)
    KedroSession.create(env=env).run(pipeline_names=["zero_shot"])


def _refuse_lists(out: Path, force: bool) -> None:
    for name in LISTS:
        if (out / name).exists() and not force:
            raise FileExistsError(f"{out / name} exists: --force replaces it")


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


def _named(folder: Path, classes: Path | None, say: Callable[[str], None]) -> pd.DataFrame:
    """Return Path and Name (class) of the photos of a folder."""
    paths = _walked(folder, say)
    if classes is None:
        return classes_of_folders(paths, folder)
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
