"""Retrieval protocols as selections of query and gallery rows.

Labels are Series of Class indexed by Index, the row in the collection's matrices.
"""

import pandas as pd

from car_retrieval.data.splits import TRAIN, VALID

Labels = tuple[pd.Series, pd.Series]
"""Classes of the queries and the searched gallery rows."""


def labels_of(photos: pd.DataFrame) -> pd.Series:
    """Return Class indexed by Index."""
    return photos.set_index("Index")["Class"]


def valid_protocol(split: pd.DataFrame) -> Labels:
    """Return the validation labels: its photos query the training photos, or each other.

    They query each other if their classes are held out (`validate_by: class`): both sides are the
    same photos, and a search excludes each query by its id.
    """
    valid, train = (labels_of(split[split["split"] == side]) for side in (VALID, TRAIN))
    return valid, train if valid.isin(train).any() else valid


def trained_classes(classes: pd.Series, split: pd.DataFrame) -> int:
    """Count the query classes that have training photos.

    Args:
        classes: classes of the queries, in any order.
        split: Class and split of the gallery photos.
    """
    trained = split.loc[split["split"] == TRAIN, "Class"]
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
