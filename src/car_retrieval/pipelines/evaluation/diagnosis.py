"""What goes wrong, and where: confusions, attributes."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from car_retrieval.compcars import VIEWPOINTS
from car_retrieval.metrics.attributes import by_attribute
from car_retrieval.metrics.confusions import confusions
from car_retrieval.metrics.results import RetrievalResult
from car_retrieval.params import EvaluationParams
from car_retrieval.pipelines.evaluation.photos import class_names, confusion_rows
from car_retrieval.reporting.diagnosis import attribute_scores
from car_retrieval.reporting.gallery import retrieval_gallery

DOMAINS = {"valid": "validation photos", "test": "query photos"}


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


def score_attributes(
    valid_by_query: pd.DataFrame,
    test_by_query: pd.DataFrame,
    gallery_photos: pd.DataFrame,
    query_photos: pd.DataFrame,
    params: EvaluationParams,
) -> tuple[pd.DataFrame, Figure]:
    """Scores by domain, and by make, model, year and viewpoint as far as the lists know them."""
    parts = []
    for split, by_query, photos in (
        ("valid", valid_by_query, gallery_photos),
        ("test", test_by_query, query_photos),
    ):
        known = _attributes(photos, gallery_photos)
        known.insert(0, "domain", DOMAINS[split])
        rows = by_attribute(by_query, known, params.k)
        rows.insert(0, "split", split)
        parts.append(rows)
    table = pd.concat(parts, ignore_index=True)
    return table, attribute_scores(table)


def _attributes(photos: pd.DataFrame, gallery: pd.DataFrame) -> pd.DataFrame:
    """What is known of each photo, by Index; make and model are those of its class in the gallery.

    Two lists may write one make in two ways, but a class is one and the same.
    """
    kinds = gallery.drop_duplicates("Class").set_index("Class")
    known = {}
    if "View Point" in photos:
        views = photos["View Point"]
        known["viewpoint"] = views.map(VIEWPOINTS).fillna(views.astype("string"))
    if "Year" in photos:
        known["year"] = photos["Year"]
    makes = [kinds[name].astype("string") for name in ("MakeName", "CarMake") if name in kinds]
    if makes:
        known["make"] = photos["Class"].map(makes[0].fillna(makes[-1]))
    known["model"] = photos["Class"].map(class_names(gallery))
    return pd.DataFrame(known).set_index(photos["Index"])
