"""Diagnose a run: confusions, attributes, descriptor map, no-match threshold."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL.Image import Image

from car_retrieval.data.attributes import class_names
from car_retrieval.data.compcars import VIEWPOINTS
from car_retrieval.data.protocols import have_classes, labels_of
from car_retrieval.io.matrix import Matrix
from car_retrieval.metrics.attributes import by_attribute
from car_retrieval.metrics.confusions import confusions
from car_retrieval.metrics.evaluator import RetrievalEvaluator
from car_retrieval.metrics.open_set import (
    OpenSet,
    no_match_threshold,
    open_set,
    open_set_rates,
)
from car_retrieval.params import EvaluationParams
from car_retrieval.reporting.descriptor_map import descriptor_map, draw_sample, project
from car_retrieval.reporting.diagnosis import attribute_scores, open_set_figure
from car_retrieval.reporting.photo_grid import retrieval_grid
from car_retrieval.reporting.photo_rows import confusion_rows
from car_retrieval.search.gallery import joined
from car_retrieval.search.result import RetrievalResult

MAPPED, SHOWN_CLASSES = 1_000, 10
log = logging.getLogger(__name__)

DOMAINS = {"valid": "validation photos", "test": "query photos"}


def find_confusions(
    hits: RetrievalResult,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    query_photos: pd.DataFrame,
    query_files: Mapping[str, bytes],
    gallery_photos: pd.DataFrame,
    gallery_files: Mapping[str, bytes],
    params: EvaluationParams,
) -> tuple[pd.DataFrame, Image]:
    """Count which classes are taken for which, and show the most frequent confusions."""
    one = query_photos.equals(gallery_photos)
    table = confusions(hits, query_labels, gallery_labels, self_in_gallery=one)
    names = class_names(gallery_photos)
    table.insert(1, "Name", table["Class"].map(names))
    table.insert(3, "Found name", table["Found class"].map(names))
    rows = confusion_rows(
        table.head(params.shown_queries),
        hits,
        (query_photos, query_files),
        (gallery_photos, gallery_files),
        gallery_labels,
    )
    return table, retrieval_grid("Query, first hit, and the right one", rows, columns=2)


def score_attributes(
    valid_by_query: pd.DataFrame,
    test_by_query: pd.DataFrame,
    gallery_photos: pd.DataFrame,
    query_photos: pd.DataFrame,
    test_gallery_photos: pd.DataFrame,
    params: EvaluationParams,
) -> tuple[pd.DataFrame, Figure]:
    """Score by domain, and by make, model, year and viewpoint as far as the lists have them."""
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
    query_descriptors: Matrix,
    gallery_descriptors: Matrix,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    gallery_photos: pd.DataFrame,
    params: EvaluationParams,
) -> tuple[pd.DataFrame, Figure]:
    """Map descriptors of some query and gallery photos to a plane, and draw them.

    Queries that search each other are drawn once.
    """
    sides = {
        "query": (query_descriptors, query_labels),
        "gallery": (gallery_descriptors, gallery_labels),
    }
    if query_descriptors.is_same(gallery_descriptors):
        del sides["gallery"]
    matched = query_labels[query_labels.isin(gallery_labels) & have_classes(query_labels)]
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
    table["Class"] = table["Class"].astype("Int64").where(have_classes(table["Class"]))
    table.insert(2, "Name", table["Class"].map(class_names(gallery_photos)))
    return table, descriptor_map(table, shown)


def find_valid_open_set(
    hits: RetrievalResult,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    gallery_descriptors: Matrix,
    gallery_photos: pd.DataFrame,
    params: EvaluationParams,
) -> OpenSet:
    """Find mated and non-mated searches of the validation photos.

    Right matches are those of `hits`, whose gallery has nothing of a query's own near-duplicates.
    False matches are those of a search of the whole gallery, as later searches see it: the more
    photos, the more similar the nearest of another class.
    """
    whole_labels = labels_of(gallery_photos)
    evaluator = RetrievalEvaluator(query_labels, whole_labels, params.k, own=True)
    depth = min(evaluator.depth + 1, len(gallery_photos))
    matrices = gallery_descriptors, gallery_descriptors
    rankings = evaluator.rankings(*matrices, depth, params.batch_size, params.reranking)
    whole_hits = joined(list(rankings), depth)
    mated = open_set(hits, query_labels, gallery_labels, self_in_gallery=True)
    whole = open_set(whole_hits, query_labels, whole_labels, self_in_gallery=True)
    return replace(mated, non_mated=whole.non_mated)


def find_test_open_set(
    hits: RetrievalResult,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    query_descriptors: Matrix,
    gallery_descriptors: Matrix,
) -> OpenSet:
    """Find mated and non-mated searches of the query photos."""
    own = query_descriptors.is_same(gallery_descriptors)
    return open_set(hits, query_labels, gallery_labels, self_in_gallery=own)


def calibrate_no_match(
    valid: OpenSet,
    test: OpenSet,
    valid_query_labels: pd.Series,
    valid_gallery_labels: pd.Series,
    gallery_descriptors: Matrix,
    params: EvaluationParams,
) -> tuple[dict[str, Any], Figure]:
    """Measure the similarity below which a search answers "no match", on the validation photos.

    Returns:
        The threshold, None without validation photos of two classes, with the signature of the
        encoder whose descriptors it is for, the digest of the gallery's photos, the re-ranking
        whose similarities it is of, whether it was measured on trained classes (`validated_by`:
        image) or on unseen ones (class), and what it does on both splits; and the curve behind it.
    """
    searches = {"valid": valid, "test": test}
    rate, queries = params.false_match_rate, len(searches["valid"].non_mated)
    among = np.isfinite(valid.non_mated).any()  # no other class: no search finds one
    if rate * queries < 1 and among:
        log.warning(
            "%d validation photos are too few for a false match rate of %g: no false match among "
            "them is allowed; raise evaluation.false_match_rate to at least 1 / photos",
            queries,
            rate,
        )
    threshold = no_match_threshold(searches["valid"].non_mated, rate) if among else None
    rates = {
        name: open_set_rates(part, threshold)
        for name, part in searches.items()
        if threshold is not None
    }
    # Only photos of classes that do not train search each other.
    among_themselves = queries > 0 and valid_query_labels.index.equals(valid_gallery_labels.index)
    result = {
        "threshold": threshold,
        "false_match_rate": rate,
        "encoder": gallery_descriptors.attributes["encoder"],
        "photos": gallery_descriptors.attributes["photos"],
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
