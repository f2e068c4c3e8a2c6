"""Split gallery photos into training and validation."""

import numpy as np
import pandas as pd

TRAIN, VALID, EXCLUDED = "train", "valid", "excluded"


def split_gallery(
    photos: pd.DataFrame, ratio: int, keep_twins: bool, seed: int, earlier: pd.Series | None = None
) -> pd.DataFrame:
    """Assign ⌊n / ratio⌋ photos of each class of n to validation, as far as groups permit.

    The choice is a seeded shuffle, stratified by viewpoint. A group of photos stays on one side. A
    label conflict (one photo in several classes) neither trains nor validates, unless `keep_twins`;
    it stays in the gallery.

    Photos of an earlier split keep their side, and only new photos are drawn. A new photo follows
    its group; if that is on both sides, it neither trains nor validates.

    Args:
        photos: Index, Class, Hash, Group (see `near_groups`) and, if known, View Point.
        ratio: photos per validation photo.
        keep_twins: use label conflicts with their labels.
        seed: seed of the shuffle; each class has its own random stream.
        earlier: `train` or `valid` of photos of an earlier split, missing for new ones, by the
            index of `photos`; None: all are new.

    Returns:
        Index, Class and split (`train`, `valid`, `excluded`), one row per photo.
    """
    side, free = _kept_sides(photos, earlier)
    conflicting = photos.groupby("Hash")["Class"].transform("nunique") > 1
    if not keep_twins:
        side[conflicting] = EXCLUDED
    shared = conflicting.groupby([photos["Class"], photos["Group"]]).transform("any")
    usable = photos[free & ~(shared if keep_twins else conflicting)]
    used = side != EXCLUDED
    due = photos.loc[used, "Class"].value_counts() // ratio
    due = due.sub(photos.loc[side == VALID, "Class"].value_counts(), fill_value=0)
    for _, members in usable.groupby("Class"):
        class_ = int(members["Class"].iloc[0])
        rng = np.random.default_rng([seed, class_ % 2**64])
        side[_drawn(members, int(due[class_]), rng)] = VALID
    return pd.DataFrame({"Index": photos["Index"], "Class": photos["Class"], "split": side})


def _kept_sides(photos: pd.DataFrame, earlier: pd.Series | None) -> tuple[pd.Series, pd.Series]:
    """Return each photo's side by an earlier split, else `train`; and a mask of undecided ones."""
    side = pd.Series(TRAIN, index=photos.index)
    if earlier is None or earlier.isna().all():
        return side, pd.Series(True, index=photos.index)
    groups = [photos["Class"], photos["Group"]]
    trains, validates = (
        (earlier == name).groupby(groups).transform("any") for name in (TRAIN, VALID)
    )
    side[validates & ~trains] = VALID
    side[validates & trains] = EXCLUDED
    return earlier.fillna(side).astype(str), ~(trains | validates)


def split_classes(
    photos: pd.DataFrame, ratio: int, keep_twins: bool, seed: int, earlier: pd.Series | None = None
) -> pd.DataFrame:
    """Hold out one class in `ratio` for validation, which searches within these classes.

    The choice is a seeded shuffle of the classes with at least two groups of photos. One photo per
    group validates, so that no photo finds its own copy. Label conflicts do not validate, and train
    only with `keep_twins`. Classes of an earlier split keep their side.

    Args:
        photos: Index, Class, Hash, Group (see `near_groups`).
        ratio: classes per held-out class.
        keep_twins: train on label conflicts with their labels.
        seed: seed of the shuffle.
        earlier: see `split_gallery`.

    Returns:
        Index, Class and split (`train`, `valid`, `excluded`), one row per photo.
    """
    conflicting = photos.groupby("Hash")["Class"].transform("nunique") > 1
    single = photos[~conflicting].drop_duplicates(["Class", "Group"])
    sizes = single.groupby("Class").size()
    classes = np.random.default_rng(seed).permutation(sizes.index[sizes > 1])
    due = len(classes) // ratio
    if earlier is not None:
        trained, held_out = (photos.loc[earlier == name, "Class"] for name in (TRAIN, VALID))
        held_out = held_out[~held_out.isin(trained)]
        new = classes[~np.isin(classes, [*trained, *held_out])]
        classes = np.concatenate([held_out.unique(), new])
        due = max(due, held_out.nunique())
    valid = photos["Class"].isin(classes[:due])
    side = pd.Series(TRAIN, index=photos.index).mask(valid, EXCLUDED)
    side[single.index[valid[single.index]]] = VALID
    if not keep_twins:
        side[conflicting] = EXCLUDED
    return pd.DataFrame({"Index": photos["Index"], "Class": photos["Class"], "split": side})


def check_trainable(split: pd.DataFrame) -> None:
    """Raise ValueError if a split does not suffice to train and validate a network.

    Args:
        split: Class and split of the gallery photos.
    """
    describe = "kedro run --pipelines=zero_shot describes them by a pretrained network"
    if split["Class"].isna().any():
        raise ValueError(f"the photos have no classes, so that nothing can be trained: {describe}")
    used = split[split["split"] != EXCLUDED]
    if used["Class"].nunique() < 2:
        raise ValueError(
            f"the gallery has photos of one class only, and training needs two classes: {describe}"
        )
    train, valid = (set(used.loc[used["split"] == side, "Class"]) for side in (TRAIN, VALID))
    if not valid:
        raise ValueError(
            "no photo would validate: no class has as many photos as data_processing.valid_ratio, "
            "or they are near-duplicates that stay together; lower data_processing.valid_ratio. "
            f"Without training, {describe}"
        )
    if not train & valid and min(len(train), len(valid)) < 2:
        raise ValueError(
            f"data_processing.validate_by: class leaves {len(train)} classes to train and "
            f"{len(valid)} to validate, and each needs two: change data_processing.valid_ratio"
        )


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
