"""Split gallery photos into training and validation."""

import numpy as np
import pandas as pd

TRAIN, VALID, EXCLUDED = "train", "valid", "excluded"


def split_gallery(photos: pd.DataFrame, ratio: int, keep_twins: bool, seed: int) -> pd.DataFrame:
    """Assign ⌊n / ratio⌋ photos of each class of n to validation, as far as groups permit.

    The choice is a seeded shuffle, stratified by viewpoint. A group of photos stays on one side. A
    label conflict (one photo in several classes) neither trains nor validates, unless `keep_twins`;
    it stays in the gallery.

    Args:
        photos: Index, Class, Hash, Group (see `near_groups`) and, if known, View Point.
        ratio: photos per validation photo.
        keep_twins: use label conflicts with their labels.
        seed: seed of the shuffle; each class has its own random stream.

    Returns:
        Index, Class and split (`train`, `valid`, `excluded`), one row per photo.
    """
    side = pd.Series(TRAIN, index=photos.index)
    conflicting = photos.groupby("Hash")["Class"].transform("nunique") > 1
    if not keep_twins:
        side[conflicting] = EXCLUDED
    shared = conflicting.groupby([photos["Class"], photos["Group"]]).transform("any")
    usable = photos[(side == TRAIN) & ~(shared if keep_twins else conflicting)]
    sizes = photos.loc[side == TRAIN, "Class"].value_counts()
    for _, members in usable.groupby("Class"):
        class_ = int(members["Class"].iloc[0])
        rng = np.random.default_rng([seed, class_ % 2**64])
        side[_drawn(members, int(sizes[class_]) // ratio, rng)] = VALID
    return pd.DataFrame({"Index": photos["Index"], "Class": photos["Class"], "split": side})


def split_classes(photos: pd.DataFrame, ratio: int, keep_twins: bool, seed: int) -> pd.DataFrame:
    """Hold out one class in `ratio` for validation, which searches within these classes.

    The choice is a seeded shuffle of the classes with at least two groups of photos. One photo per
    group validates, so that no photo finds its own copy. Label conflicts do not validate, and train
    only with `keep_twins`.

    Args:
        photos: Index, Class, Hash, Group (see `near_groups`).
        ratio: classes per held-out class.
        keep_twins: train on label conflicts with their labels.
        seed: seed of the shuffle.

    Returns:
        Index, Class and split (`train`, `valid`, `excluded`), one row per photo.
    """
    conflicting = photos.groupby("Hash")["Class"].transform("nunique") > 1
    single = photos[~conflicting].drop_duplicates(["Class", "Group"])
    sizes = single.groupby("Class").size()
    classes = np.random.default_rng(seed).permutation(sizes.index[sizes > 1])
    valid = photos["Class"].isin(classes[: len(classes) // ratio])
    side = pd.Series(TRAIN, index=photos.index).mask(valid, EXCLUDED)
    side[single.index[valid[single.index]]] = VALID
    if not keep_twins:
        side[conflicting] = EXCLUDED
    return pd.DataFrame({"Index": photos["Index"], "Class": photos["Class"], "split": side})


def _drawn(members: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.Index:
    """Draw by systematic sampling: the shuffled photos of a viewpoint are spread over [0, 1)."""
    shuffled = members.iloc[rng.permutation(len(members))]
    stratum = shuffled["View Point"] if "View Point" in shuffled else pd.Series(0, shuffled.index)
    place = stratum.groupby(stratum).cumcount() + rng.random()
    place = place / stratum.map(stratum.value_counts())
    first = place.groupby(shuffled["Group"]).transform("min")
    order = pd.DataFrame({"first": first, "Group": shuffled["Group"]}).sort_values(
        ["first", "Group"], kind="stable"
    )
    sizes = order.groupby("Group", sort=False).size()
    chosen = sizes.index[_fitting(sizes.to_numpy(), count)]
    return order.index[order["Group"].isin(chosen)]


def _fitting(sizes: np.ndarray, count: int) -> np.ndarray:
    """Take each group, in order, that still fits into `count`."""
    taken = np.zeros(len(sizes), bool)
    for group, size in enumerate(sizes):
        if size <= count:
            taken[group] = True
            count -= size
    return taken
