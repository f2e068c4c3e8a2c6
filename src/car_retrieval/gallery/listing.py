"""Changes of a gallery in the list of its next run."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from car_retrieval.gallery.photos import Classes, as_type, photo_row
from car_retrieval.gallery.record import photo_id
from car_retrieval.gallery.store import Change


def with_changes(listing: pd.DataFrame, changes: Sequence[Change]) -> pd.DataFrame:
    """Apply changes to a list of photos, so that the next run keeps them.

    An added photo without a class is not listed among photos with classes, because it cannot
    train; the gallery keeps it.

    Args:
        listing: photos with Path, Class and further columns.
        changes: changes of the store, in order.

    Returns:
        The list without removed photos, with corrected labels, added photos at the end.
    """
    if not changes:
        return listing
    classes, labelled = Classes(listing), bool(listing["Class"].notna().any())
    latest = {change.record.id: change for change in changes}
    ids = listing["Path"].map(photo_id)
    kept = listing[~ids.isin(latest)]
    rows = [
        photo_row(change.record, classes)
        for change in latest.values()
        if not change.removed and (change.record.labels.class_ is not None or not labelled)
    ]
    if not rows:
        return kept.reset_index(drop=True)
    added = pd.DataFrame(rows).drop(columns="Hash")
    if "Problem" in listing:
        added["Problem"] = ""
    if not labelled:
        added["Class"] = pd.NA
    added = added.dropna(axis="columns", how="all")
    new = [name for name in added if name not in listing]
    added = added.reindex(columns=[*listing.columns, *new])
    for name, kind in listing.dtypes.items():
        added[name] = as_type(added[name], kind)
        if kind.kind in "iu" and added[name].dtype == "Int64" and added[name].notna().all():
            added[name] = added[name].astype(kind)
    listed = pd.concat([kept, added], ignore_index=True)
    if "Index" in listed:
        listed["Index"] = np.arange(len(listed), dtype=np.int64)
    return listed
