"""Expected scores of a random search."""

import numpy as np
import pandas as pd

STANDARD_ERRORS = 3


def chance_of_first_hit(
    query_labels: pd.Series, gallery_labels: pd.Series, self_in_gallery: bool
) -> float:
    """Compute the upper limit of R@1 for a random ranking of the gallery.

    A random first hit is correct with probability p = photos of the query's class / photos. R@1
    exceeds the mean of p by 3 standard errors, each √(Σ p (1 − p)) / queries, in one random search
    of 700.

    Args:
        query_labels: classes of the queries.
        gallery_labels: classes of the searched photos.
        self_in_gallery: equal ids are the same photo, and a query does not find itself.

    Returns:
        Mean plus 3 standard errors, over the queries with a photo of their class.
    """
    own = query_labels.index.isin(gallery_labels.index) if self_in_gallery else False
    right = query_labels.map(gallery_labels.value_counts()).fillna(0).to_numpy() - own
    share = (right / np.maximum(len(gallery_labels) - own, 1))[right > 0]
    if not len(share):
        return float("nan")
    error = np.sqrt((share * (1 - share)).sum()) / len(share)
    return float(share.mean() + STANDARD_ERRORS * error)
