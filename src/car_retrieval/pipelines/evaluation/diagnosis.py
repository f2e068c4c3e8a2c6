"""What goes wrong, and where: confusions."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from car_retrieval.metrics.confusions import confusions
from car_retrieval.metrics.results import RetrievalResult
from car_retrieval.params import EvaluationParams
from car_retrieval.pipelines.evaluation.photos import class_names, confusion_rows
from car_retrieval.reporting.gallery import retrieval_gallery


def find_confusions(
    hits: RetrievalResult,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    gallery_photos: pd.DataFrame,
) -> pd.DataFrame:
    """Which classes are taken for which, by number and by name."""
    table = confusions(hits, query_labels, gallery_labels)
    names = class_names(gallery_photos)
    table.insert(1, "Name", table["Class"].map(names))
    table.insert(3, "Found name", table["Found class"].map(names))
    return table


def show_confusions(
    table: pd.DataFrame,
    hits: RetrievalResult,
    gallery_labels: pd.Series,
    query_photos: pd.DataFrame,
    query_images: Mapping[str, bytes],
    gallery_photos: pd.DataFrame,
    gallery_images: Mapping[str, bytes],
    params: EvaluationParams,
) -> Figure:
    """The most frequent confusions with their photos side by side."""
    rows = confusion_rows(
        table.head(params.shown_queries),
        hits,
        (query_photos, query_images),
        (gallery_photos, gallery_images),
        gallery_labels,
    )
    return retrieval_gallery("Query, first hit, and the right one", rows, columns=2)
