"""Clean tables of photos, in which the row is the Index, from listings and inspections."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from car_retrieval.data.compcars import BOX

MIN_BOX_SIDE = 16
SHOWN_REJECTS = 5
NOT_FOUND = "file not found"
PROBLEM_COLUMNS = ["Path", "Problem", "Action"]


def select_views(listing: pd.DataFrame, views: list[int]) -> pd.DataFrame:
    """The photos with one of the viewpoints; all photos of a listing without viewpoints."""
    if "View Point" not in listing:
        return listing
    return listing[listing["View Point"].isin(views).fillna(False)]


def numbered(photos: pd.DataFrame) -> pd.DataFrame:
    """The photos with `Index` equal to the row, and without the listing's `Problem`."""
    return photos.reset_index(drop=True).assign(Index=np.arange(len(photos), dtype=np.int64))


def unusable(listing: pd.DataFrame) -> pd.DataFrame:
    """The photos that the listing itself could not place: Path, Problem, Action."""
    if "Problem" not in listing:
        return pd.DataFrame(columns=PROBLEM_COLUMNS)
    return problems(listing[listing["Problem"] != ""], "left out")


def problems(photos: pd.DataFrame, action: str, problem: str | None = None) -> pd.DataFrame:
    """A problem table of these photos: Path, Problem, Action."""
    found = photos["Problem"] if problem is None else problem
    return pd.DataFrame({"Path": photos["Path"], "Problem": found, "Action": action})


def refuse_too_many(
    rejected: pd.DataFrame, photos: int, max_rejected_fraction: float, folder: object = None
) -> None:
    """Stop when too many photos are left out; one may always be, of several.

    Args:
        rejected: the photos left out: Path, Problem.
        photos: how many there were.
        max_rejected_fraction: the share of them that may be left out.
        folder: where the files were looked for.

    Raises:
        ValueError: more than that share, or all, are left out.
    """
    if len(rejected) and len(rejected) >= photos:
        fault = "which leaves none"
    elif len(rejected) > max(1, max_rejected_fraction * photos):
        fault = (
            "more than the parameter data_processing.max_rejected_fraction = "
            f"{max_rejected_fraction} allows"
        )
    else:
        return
    first = rejected.head(SHOWN_REJECTS)
    named = "; ".join(first["Path"] + ": " + first["Problem"])
    beginning = "" if len(first) == len(rejected) else f"; the first {len(first)}"
    hint = ""
    if folder is not None and (rejected["Problem"] == NOT_FOUND).all():
        hint = f". Path is relative to the folder {folder}, with forward slashes"
    raise ValueError(
        f"{len(rejected)} of {photos} photos cannot be used, {fault}{beginning}: {named}{hint}"
    )


def readable_photos(
    listing: pd.DataFrame,
    inspection: pd.DataFrame,
    max_rejected_fraction: float,
    folder: object = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Drop the photos that cannot be read, and boxes that cannot be right.

    Args:
        listing: the chosen photos (Path, Class and whatever else is known).
        inspection: one row a photo in the same order: Path, Width, Height, Hash, DHash, Problem.
        max_rejected_fraction: the run stops when more than this share cannot be read.
        folder: where the files were looked for.

    Returns:
        The readable photos with Index, Width, Height, Hash, DHash; and the problems found.

    Raises:
        ValueError: too many files cannot be read (`refuse_too_many`), or there are none.
    """
    broken = inspection[inspection["Problem"] != ""]
    if inspection.empty:
        raise ValueError("there is no photo to read: the list is empty")
    refuse_too_many(broken, len(inspection), max_rejected_fraction, folder)
    photos = listing.drop(columns="Problem", errors="ignore").reset_index(drop=True)
    seen = inspection.drop(columns=["Path", "Problem"]).reset_index(drop=True)
    photos = pd.concat([photos, seen], axis=1)[(inspection["Problem"] == "").to_numpy()]
    if photos["Class"].notna().any():
        photos = photos.astype({"Class": np.int64})
    photos = numbered(photos)
    photos, boxes = without_bad_boxes(photos)
    return photos, pd.concat([problems(broken, "left out"), boxes], ignore_index=True)


def without_bad_boxes(photos: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Empty the boxes under 16 px on a side or not inside the photo: the full frame is used.

    Returns:
        The photos, and the problems found.
    """
    if "x1" not in photos:
        return photos, pd.DataFrame(columns=PROBLEM_COLUMNS)
    x1, y1, x2, y2 = (photos[side] for side in BOX)
    small = (x2 - x1 + 1 < MIN_BOX_SIDE) | (y2 - y1 + 1 < MIN_BOX_SIDE)
    outside = (x1 < 1) | (y1 < 1) | (x2 > photos["Width"]) | (y2 > photos["Height"])
    small, outside = small.fillna(False), outside.fillna(False)
    found = [
        problems(photos[small], "full frame used", f"box under {MIN_BOX_SIDE} px on a side"),
        problems(photos[outside & ~small], "full frame used", "box is not inside the photo"),
    ]
    photos = photos.assign(**{side: photos[side].mask(small | outside) for side in BOX})
    return photos, pd.concat(found, ignore_index=True)


def duplicates(photos: pd.DataFrame) -> pd.DataFrame:
    """The photos whose file occurs more than once, with `Conflict`: under different classes."""
    twins = photos[photos.duplicated("Hash", keep=False)]
    return twins.assign(Conflict=twins.groupby("Hash")["Class"].transform("nunique") > 1)


def require_columns(photos: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse a table of photos that lacks one of these columns."""
    if missing := [name for name in columns if name not in photos]:
        raise ValueError(
            f"a table of photos has no column {', '.join(missing)}: it is of an older version; run "
            "the pipeline data_processing again"
        )


def boxes_of(photos: pd.DataFrame) -> np.ndarray | None:
    """Boxes float64 [n, 4] of x1, y1, x2, y2; NaN where the full frame is meant."""
    return photos[BOX].to_numpy(np.float64, na_value=np.nan) if "x1" in photos else None


def counted(count: int, one: str, many: str) -> str:
    """A count with its noun: `1 photo`, `2,000 photos`."""
    return f"{count:,} {one if count == 1 else many}"
