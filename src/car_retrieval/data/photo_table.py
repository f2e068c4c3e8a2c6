"""Clean tables of photos, with Index equal to the row, from listings and inspections."""

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
import pandas as pd

from car_retrieval.data.compcars import BOX

MIN_BOX_SIDE = 16
SHOWN_REJECTS = 5
NOT_FOUND = "file not found"
PROBLEM_COLUMNS = ["Path", "Problem", "Action"]


def select_views(listing: pd.DataFrame, views: list[int]) -> pd.DataFrame:
    """Select the photos with one of the viewpoints; all photos if the listing has none."""
    if "View Point" not in listing:
        return listing
    return listing[listing["View Point"].isin(views).fillna(False)]


def numbered(photos: pd.DataFrame) -> pd.DataFrame:
    """Set `Index` to the row and drop `Problem`."""
    return photos.reset_index(drop=True).assign(Index=np.arange(len(photos), dtype=np.int64))


def unusable(listing: pd.DataFrame) -> pd.DataFrame:
    """Return the photos the listing rejected: Path, Problem, Action."""
    if "Problem" not in listing:
        return pd.DataFrame(columns=PROBLEM_COLUMNS)
    return problems(listing[listing["Problem"] != ""], "left out")


def problems(photos: pd.DataFrame, action: str, problem: str | None = None) -> pd.DataFrame:
    """Build a problem table: Path, Problem, Action."""
    found = photos["Problem"] if problem is None else problem
    return pd.DataFrame({"Path": photos["Path"], "Problem": found, "Action": action})


def refuse_too_many(
    rejected: pd.DataFrame, photos: int, max_rejected_fraction: float, folder: object = None
) -> None:
    """Raise an error if too many photos are rejected; one of several is always allowed.

    Args:
        rejected: rejected photos: Path, Problem.
        photos: total number of photos.
        max_rejected_fraction: largest allowed share of rejected photos.
        folder: folder of the photos.

    Raises:
        ValueError: more than that share, or all, are rejected.
    """
    if len(rejected) and len(rejected) >= photos:
        fault = "so that none is left"
    elif len(rejected) > max(1, max_rejected_fraction * photos):
        fault = f"more than data_processing.max_rejected_fraction = {max_rejected_fraction} allows"
    else:
        return
    first = rejected.head(SHOWN_REJECTS)
    named = "; ".join(first["Path"] + ": " + first["Problem"])
    beginning = "" if len(first) == len(rejected) else f"; the first {len(first)}"
    hint = ""
    if folder is not None and (rejected["Problem"] == NOT_FOUND).all():
        hint = (
            f". Path is relative to the folder {folder}, with forward slashes; "
            "kedro gallery remove takes out gallery photos that are gone"
        )
    raise ValueError(
        f"{len(rejected)} of {photos} photos cannot be used, {fault}{beginning}: {named}{hint}"
    )


def readable_photos(
    listing: pd.DataFrame,
    inspection: pd.DataFrame,
    max_rejected_fraction: float,
    folder: object = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Drop unreadable photos and invalid boxes.

    Args:
        listing: selected photos: Path, Class and further columns.
        inspection: one row per photo in the same order, see `images.inspect.inspect_all`.
        max_rejected_fraction: largest allowed share of unreadable photos.
        folder: folder of the photos.

    Returns:
        Readable photos with Index, Width, Height, Hash, DHash; and the problem table.

    Raises:
        ValueError: too many photos are unreadable (`refuse_too_many`).
    """
    broken = inspection[inspection["Problem"] != ""]
    refuse_too_many(broken, len(inspection), max_rejected_fraction, folder)
    photos = listing.drop(columns="Problem", errors="ignore").reset_index(drop=True)
    seen = inspection.drop(columns=["Path", "Truncated", "Problem"]).reset_index(drop=True)
    photos = pd.concat([photos, seen], axis=1)[(inspection["Problem"] == "").to_numpy()]
    if photos["Class"].notna().any():
        photos = photos.astype({"Class": np.int64})
    photos = numbered(photos)
    photos, boxes = without_bad_boxes(photos)
    truncated = problems(inspection[inspection["Truncated"]], "kept", "end marker missing")
    found = [problems(broken, "left out"), truncated, boxes]
    return photos, pd.concat(found, ignore_index=True)


def by_kind(found: pd.DataFrame, shown: int = SHOWN_REJECTS) -> list[str]:
    """Summarise problems, one line per kind of file: `12 .heic, for example a.heic: …`.

    Problems that differ only after a colon, where decoders give their reasons, are one kind.

    Args:
        found: photos with a problem: Path, Problem.
        shown: largest number of lines; the most frequent kinds come first.
    """
    suffixes = found["Path"].map(lambda path: PurePath(path).suffix.lower() or "without suffix")
    kinds = found["Problem"].str.partition(":")[0] if len(found) else found["Problem"]
    groups = found.groupby([suffixes, kinds], sort=False)
    lines = [
        (len(group), f"{len(group):,} {suffix}, for example {path}: {problem}")
        for (suffix, _), group in groups
        for path, problem in group[["Path", "Problem"]].head(1).itertuples(index=False)
    ]
    lines.sort(key=lambda line: -line[0])
    rest = sum(count for count, _ in lines[shown:])
    more = [f"{rest:,} with other problems"] if rest else []
    return [text for _, text in lines[:shown]] + more


def without_bad_boxes(photos: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Remove boxes under 16 px on a side or outside the photo: the full frame is used.

    Returns:
        Photos, and the problem table.
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
    """Return the photos with exact copies; `Conflict`: the copies have different classes."""
    twins = photos[photos.duplicated("Hash", keep=False)]
    return twins.assign(Conflict=twins.groupby("Hash")["Class"].transform("nunique") > 1)


def require_columns(photos: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise an error if a table of photos lacks one of the columns."""
    if missing := [name for name in columns if name not in photos]:
        raise ValueError(
            f"a table of photos has no column {', '.join(missing)}: it is from an older version; "
            "run the pipeline data_processing again"
        )


def boxes_of(photos: pd.DataFrame) -> np.ndarray | None:
    """Return boxes float64 [n, 4] of x1, y1, x2, y2; NaN for the full frame."""
    return photos[BOX].to_numpy(np.float64, na_value=np.nan) if "x1" in photos else None


def counted(count: int, one: str, many: str) -> str:
    """Format a count with its noun: `1 photo`, `2,000 photos`."""
    return f"{count:,} {one if count == 1 else many}"
