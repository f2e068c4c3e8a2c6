"""Retrieval protocols as selections of query and gallery rows.

Labels are Series of Class indexed by Index, the row in the collection's matrices. A photo without a
class has a class of its own there, so that nothing is right or wrong of it.
"""

import numpy as np
import pandas as pd

from car_retrieval.data.splits import TRAIN, VALID

Labels = tuple[pd.Series, pd.Series]
"""Classes of the queries and the searched gallery rows."""


NO_CLASS = np.iinfo(np.int64).min
NUMBERED = 1 << 40  # photos without a class can have a class of their own


def labels_of(photos: pd.DataFrame) -> pd.Series:
    """Return Class indexed by Index, int64; see `without_classes` for photos that have none."""
    classes = photos.set_index("Index")["Class"]
    known, labels = classes.notna(), without_classes(classes)
    labels[known] = classes[known].astype(np.int64)
    return labels


def without_classes(labels: pd.Series) -> pd.Series:
    """Return labels by which no photo is like another."""
    return pd.Series(NO_CLASS + labels.index.to_numpy(np.int64), labels.index, name="Class")


def have_classes(labels: pd.Series) -> pd.Series:
    """Return a mask of the labels that are classes of the lists."""
    return labels >= NO_CLASS + NUMBERED


def why_unscored(queries: pd.Series, gallery: pd.Series, scored: bool) -> str | None:
    """Return why queries have no scores, or none that mean anything, for readers; else None.

    Args:
        queries: labels of the queries.
        gallery: labels of the photos that they search.
        scored: whether a query has another photo of its class to find.
    """
    if not have_classes(gallery).any():
        return "the photos have no classes"
    if gallery.nunique() == 1 and not queries.empty:
        return "the photos that are searched are of one class, so that any of them is right"
    if scored:
        return None
    if queries.empty:
        return "it has no queries"
    if not have_classes(queries).any():
        return "there are no query photos, and the network was trained on the gallery"
    return "no query has a photo of its class to find"


def valid_protocol(split: pd.DataFrame) -> Labels:
    """Return the validation labels: its photos query the training photos, or each other.

    They query each other if their classes are held out (`validate_by: class`): both sides are the
    same photos, and a search excludes each query by its id.
    """
    valid, train = (labels_of(split[split["split"] == side]) for side in (VALID, TRAIN))
    return valid, train if valid.empty or valid.isin(train).any() else valid


def trained_classes(classes: pd.Series, roles: pd.DataFrame) -> int:
    """Count the query classes that have training photos.

    Args:
        classes: classes of the queries, in any order.
        roles: Class and Role of photos; see `KnownPhotos.roles`.
    """
    trained = roles.loc[roles["Role"] == TRAIN, "Class"]
    return int(classes[classes.isin(trained)].nunique())


def filtered_protocol(
    queries: pd.Series, gallery: pd.Series, photos: pd.DataFrame, min_class_size: int | None
) -> Labels:
    """Drop the classes with fewer gallery photos than `min_class_size` from both sides.

    Args:
        queries: classes of the queries.
        gallery: classes of the gallery rows.
        photos: whole gallery, validation photos included; source of the class sizes.
        min_class_size: minimum photos per class; None: drop all classes.
    """
    if min_class_size is None:
        return queries[:0], gallery[:0]
    sizes = photos["Class"].value_counts()
    large = sizes.index[sizes >= min_class_size]
    return queries[queries.isin(large)], gallery[gallery.isin(large)]
