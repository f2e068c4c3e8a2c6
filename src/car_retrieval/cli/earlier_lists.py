"""Lists of an earlier `kedro index-folder`, whose queries stay queries."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from car_retrieval.data.folder_lists import GALLERY, QUERY, drawn_queries
from car_retrieval.data.photo_table import counted

LISTS = ("indexinfo.csv", "tindexinfo.csv", "test.npy")


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


def earlier_lists(out: Path, labelled: bool) -> pd.Series | None:
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


def draw_queries(
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


def tell_changes(
    earlier: pd.Series, tables: list[pd.DataFrame], say: Callable[[str], None]
) -> None:
    """Say how many photos stayed, are new, and are gone."""
    paths = pd.concat(tables)["Path"]
    new = int((~paths.isin(earlier.index)).sum())
    gone = earlier.index[~earlier.index.isin(paths)]
    say(f"lists of an earlier call: {len(paths) - new:,} photos stay, {new:,} are new")
    if len(gone):
        left = counted(len(gone), "photo is", "photos are")
        say(f"{left} no longer there and left out of the lists (the first: {gone[0]})")
