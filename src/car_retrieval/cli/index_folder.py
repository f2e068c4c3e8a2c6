"""`kedro index-folder`: list the photos of user folders, without copying them."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import pandas as pd
from kedro.framework.session import KedroSession

from car_retrieval.cli.errors import PlainErrorCommand
from car_retrieval.data.folder import walk_photos
from car_retrieval.data.folder_lists import (
    GALLERY,
    QUERY,
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


class Ratio(click.ParamType):
    """An integer of at least 2, or `none`."""

    name = "integer|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> int | None:
        """Read the option; None for `none`."""
        if value == "none":
            return None
        return click.IntRange(min=2).convert(value, param, ctx)


class Draw(NamedTuple):
    """How to draw queries.

    Attributes:
        ratio: photos of a class per query; None: no queries.
        near_duplicates: largest Hamming distance of near-duplicates, which stay together.
        seed: seed of the random draw.
        new: whether to draw among photos that earlier lists do not have.
    """

    ratio: int | None
    near_duplicates: int
    seed: int
    new: bool


@click.command("index-folder", cls=PlainErrorCommand)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--queries", type=click.Path(path_type=Path), help="Folder of query photos.")
@click.option(
    "--classes", type=click.Path(path_type=Path), help="CSV with the columns path and class."
)
@click.option(
    "--unlabelled",
    is_flag=True,
    help="Ignore folders: photos without classes, described by the pretrained network.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the lists; default: `root` of --env."
)
@click.option(
    "--query-ratio",
    type=Ratio(),
    default=7,
    show_default=True,
    help="Without --queries: photos of a class per query drawn from it; none: no queries.",
)
@click.option(
    "--draw-new",
    is_flag=True,
    help="If there are lists: draw queries among new photos, too, which else join the gallery.",
)
@click.option(
    "--near-duplicates",
    type=click.IntRange(0, 7),
    default=5,
    show_default=True,
    help="Largest Hamming distance of the 64-bit hashes of near-duplicates, which stay together.",
)
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@click.option("--force", is_flag=True, help="Replace the lists, and draw the queries anew.")
@click.option("--env", default="independent", show_default=True)
def command(
    folder: Path,
    queries: Path | None,
    classes: Path | None,
    unlabelled: bool,
    out: Path | None,
    query_ratio: int | None,
    draw_new: bool,
    near_duplicates: int,
    seed: int,
    force: bool,
    env: str,
) -> None:
    """List your own photos for `kedro run --env=independent`.

    The class of a photo is its folder, or is given in a CSV; photos of a folder without folders
    have none. Photos are not moved or copied. If there are lists already, gallery photos and
    queries stay what they are, and new photos join the gallery.
    """
    if unlabelled and (queries or classes):
        raise ValueError("--unlabelled excludes --queries and --classes")
    variable = f"INDEPENDENT_ROOT={shlex.quote(str(out))} " if out else ""
    if out is None:
        context = KedroSession.create(env=env).load_context()
        root = Path(context.config_loader["globals"]["root"]).expanduser()
        out = Path(context.project_path) / root
    draw = Draw(query_ratio, near_duplicates, seed, draw_new)
    count = index_folder(folder, queries, classes, unlabelled, out, draw, force, say=click.echo)
    if count == 0:
        _describe(env, out if variable else None)
        click.echo(f"next: {variable}kedro search PHOTO --env={env}")
        return
    if count == 1:
        click.echo("one class: nothing can be trained, but photos can be described and searched")
    pipelines = " --pipelines=zero_shot" if count == 1 else ""
    click.echo(f"lists in {out}; next: {variable}kedro run{pipelines} --env={env}")


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
    earlier = None if force else _earlier_lists(out, labelled)
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
        drawn = _drawn(usable[0], earlier, draw, labelled, say)
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
        _tell_changes(earlier, tables, say)
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


def _describe(env: str, root: Path | None) -> None:
    """Run the pipeline zero_shot; `root`: folder of the lists, if not that of the environment."""
    if root:
        os.environ["INDEPENDENT_ROOT"] = str(root)
    KedroSession.create(env=env).run(pipeline_names=["zero_shot"])


def _earlier_lists(out: Path, labelled: bool) -> pd.Series | None:
    """Return `GALLERY` or `QUERY` by Path of the photos of an earlier call; None without one."""
    found = [out / name for name in LISTS if (out / name).exists()]
    if not found:
        return None
    if not (out / "classes.csv").exists():
        raise FileExistsError(f"{found[0]} exists and is not by this command: --force replaces it")
    tables = [
        pd.read_csv(out / name, dtype=str, keep_default_na=False).assign(part=part)
        for name, part in zip(LISTS, (GALLERY, QUERY), strict=False)
        if (out / name).exists()
    ]
    lists = pd.concat(tables)
    if len(lists) and labelled != (lists["Class"] != "").any():
        have = ("no classes", "classes") if labelled else ("classes", "no classes")
        raise FileExistsError(
            f"the photos in {found[0]} have {have[0]}, and these have {have[1]}: --force replaces "
            "the lists"
        )
    return lists.set_index("Path")["part"]


def _drawn(
    photos: pd.DataFrame,
    earlier: pd.Series | None,
    draw: Draw,
    labelled: bool,
    say: Callable[[str], None],
) -> pd.Series:
    """Return a mask of the photos that are queries."""
    if not labelled or draw.ratio is None:
        if earlier is not None and (moved := int((earlier == QUERY).sum())):
            say(f"{counted(moved, 'query', 'queries')} of earlier lists join the gallery")
        return pd.Series(False, photos.index)
    if earlier is None:
        drawn = drawn_queries(photos, draw.ratio, draw.near_duplicates, draw.seed)
        if not drawn.any():
            say(
                f"no queries, because no class has {draw.ratio} different photos: lower "
                "--query-ratio, or give a folder of queries (--queries)"
            )
        return drawn
    parts = photos["Path"].map(earlier[~earlier.index.duplicated()])
    ratio = draw.ratio if draw.new else None
    drawn = drawn_queries(photos, ratio, draw.near_duplicates, draw.seed, parts)
    new = int((drawn & parts.isna()).sum())
    if new and not draw.new:
        look = counted(
            new, "new photo looks like a query and is", "new photos look like queries and are"
        )
        say(f"{look} a query, too")
    return drawn


def _tell_changes(
    earlier: pd.Series, tables: list[pd.DataFrame], say: Callable[[str], None]
) -> None:
    paths = pd.concat(tables)["Path"]
    new = int((~paths.isin(earlier.index)).sum())
    gone = earlier.index[~earlier.index.isin(paths)]
    say(f"lists of an earlier call: {len(paths) - new:,} photos stay, {new:,} are new")
    if len(gone):
        left = counted(len(gone), "photo is", "photos are")
        say(f"{left} no longer there and left out of the lists (the first: {gone[0]})")


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
