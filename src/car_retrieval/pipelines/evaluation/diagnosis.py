"""Diagnose a run: confusions, attributes, descriptor map, no-match threshold."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from car_retrieval.data.attributes import class_names
from car_retrieval.data.compcars import VIEWPOINTS
from car_retrieval.io.matrix import Matrix
from car_retrieval.metrics.attributes import by_attribute
from car_retrieval.metrics.confusions import confusions
from car_retrieval.metrics.open_set import no_match_threshold, open_set, open_set_rates
from car_retrieval.params import EvaluationParams
from car_retrieval.pipelines.evaluation.checks import self_in_gallery
from car_retrieval.pipelines.evaluation.photos import confusion_rows
from car_retrieval.reporting.descriptor_map import descriptor_map, draw_sample, project
from car_retrieval.reporting.diagnosis import attribute_scores, open_set_figure
from car_retrieval.reporting.gallery import retrieval_gallery
from car_retrieval.search.result import RetrievalResult

MAPPED, SHOWN_CLASSES = 1_000, 10
log = logging.getLogger(__name__)

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
    test_gallery_photos: pd.DataFrame,
    params: EvaluationParams,
) -> tuple[pd.DataFrame, Figure]:
    """Scores by domain, and by make, model, year and viewpoint as far as the lists know them."""
    parts = []
    for split, by_query, photos, searched in (
        ("valid", valid_by_query, gallery_photos, gallery_photos),
        ("test", test_by_query, query_photos, test_gallery_photos),
    ):
        known = _attributes(photos, searched)
        known.insert(0, "domain", DOMAINS[split])
        rows = by_attribute(by_query, known, params.k)
        rows.insert(0, "split", split)
        parts.append(rows)
    table = pd.concat(parts, ignore_index=True)
    return table, attribute_scores(table)


def map_descriptors(
    queries: Matrix,
    gallery: Matrix,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    gallery_photos: pd.DataFrame,
    params: EvaluationParams,
) -> tuple[pd.DataFrame, Figure]:
    """Descriptors of some query and gallery photos on a plane, neighbours beside each other.

    Queries that search each other are drawn once.
    """
    sides = {"query": (queries, query_labels), "gallery": (gallery, gallery_labels)}
    if self_in_gallery(queries, gallery):
        del sides["gallery"]
    matched = query_labels[query_labels.isin(gallery_labels)]
    shown = matched.value_counts().index[:SHOWN_CLASSES]
    parts, vectors = [], []
    for side, (matrix, labels) in sides.items():
        chosen = draw_sample(labels, shown, MAPPED // len(sides), params.seed)
        parts.append(
            pd.DataFrame({"side": side, "Index": chosen.index, "Class": chosen.to_numpy()})
        )
        vectors.append(matrix[chosen.index.to_numpy()])
    table = pd.concat(parts, ignore_index=True)
    table[["x", "y"]] = project(np.concatenate(vectors), params.seed)
    table.insert(2, "Name", table["Class"].map(class_names(gallery_photos)))
    return table, descriptor_map(table, shown)


def calibrate_no_match(
    valid_hits: RetrievalResult,
    valid_query_labels: pd.Series,
    valid_gallery_labels: pd.Series,
    test_hits: RetrievalResult,
    test_query_labels: pd.Series,
    test_gallery_labels: pd.Series,
    whole_hits: RetrievalResult,
    whole_gallery_labels: pd.Series,
    gallery: Matrix,
    params: EvaluationParams,
) -> tuple[dict[str, Any], Figure]:
    """The similarity below which a search answers "no match", from the validation photos.

    Their false matches are counted in `whole_hits`, of the whole gallery, as later searches see it:
    the more photos, the more similar the nearest of another class. Their right ones are counted in
    `valid_hits`, whose gallery has nothing of a query's own near-duplicates.

    Returns:
        The threshold, with the signature of the encoder whose descriptors it is for, the digest of
        the gallery's photos, the re-ranking whose similarities it is of, whether it was measured
        on classes that training knows (`validated_by`: image) or never saw (class), and what it
        does on both splits; and the curve behind it.
    """
    mated, strangers = (
        open_set(hits, valid_query_labels, labels, self_in_gallery=True)
        for hits, labels in ((valid_hits, valid_gallery_labels), (whole_hits, whole_gallery_labels))
    )
    own = params.search_in == "queries"
    searches = {
        "valid": replace(mated, non_mated=strangers.non_mated),
        "test": open_set(test_hits, test_query_labels, test_gallery_labels, self_in_gallery=own),
    }
    rate, queries = params.false_match_rate, len(searches["valid"].non_mated)
    if rate * queries < 1:
        log.warning(
            "%d validation photos cannot tell a false match rate of %g: no false match among them "
            "is allowed; raise evaluation.false_match_rate to at least 1 / photos",
            queries,
            rate,
        )
    threshold = no_match_threshold(searches["valid"].non_mated, rate)
    rates = {name: open_set_rates(part, threshold) for name, part in searches.items()}
    # Only photos of classes that do not train search each other.
    among_themselves = valid_query_labels.index.equals(valid_gallery_labels.index)
    result = {
        "threshold": threshold,
        "false_match_rate": rate,
        "encoder": gallery.attributes["encoder"],
        "photos": gallery.attributes["photos"],
        "reranking": params.reranking.model_dump() if params.reranking else None,
        "validated_by": "class" if among_themselves else "image",
        "splits": {
            name: {key: None if pd.isna(value) else value for key, value in own.items()}
            for name, own in rates.items()
        },
    }
    return result, open_set_figure(searches, rates)


def _attributes(photos: pd.DataFrame, gallery: pd.DataFrame) -> pd.DataFrame:
    """Photo attributes by Index; make and model are those of its class in the gallery.

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
