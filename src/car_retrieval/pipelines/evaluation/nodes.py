"""Select queries and gallery, search exactly, score."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from car_retrieval.data import protocols
from car_retrieval.io.matrix import Matrix
from car_retrieval.metrics.evaluator import RetrievalEvaluator
from car_retrieval.metrics.retrieval import per_class
from car_retrieval.metrics.verification import sample_pairs, verification
from car_retrieval.params import EvaluationParams
from car_retrieval.search.gallery import joined
from car_retrieval.search.result import RetrievalResult

PAIRS_BLOCK = 16_384
WHOLE_CELLS = 1 << 22  # hits of whole rankings that are held at a time
COUNTS = ["queries", "classes", "trained_classes", "gallery"]
log = logging.getLogger(__name__)

Selection = tuple[pd.Series, pd.Series, pd.Series, pd.Series]
"""Classes of queries and gallery rows: of all classes, then of the large ones."""


def select_valid(
    split: pd.DataFrame, gallery_photos: pd.DataFrame, params: EvaluationParams
) -> Selection:
    """Select the validation photos as queries; they search the training photos, or each other.

    See `data.protocols.valid_protocol`.
    """
    labels = protocols.valid_protocol(split)
    return *labels, *protocols.filtered_protocol(*labels, gallery_photos, params.min_class_size)


def select_test(
    query_photos: pd.DataFrame,
    gallery_photos: pd.DataFrame,
    split: pd.DataFrame,
    params: EvaluationParams,
) -> Selection:
    """Select the query photos as queries of the whole test gallery."""
    trained = protocols.trained_classes(query_photos["Class"], split)
    if params.search_in == "queries" and trained:
        log.warning(
            "%d of %d classes of the queries trained the network: these scores cannot be compared "
            "with those of classes that training never saw (evaluation.search_in: queries)",
            *(trained, query_photos["Class"].nunique()),
        )
    labels = protocols.labels_of(query_photos), protocols.labels_of(gallery_photos)
    return *labels, *protocols.filtered_protocol(*labels, gallery_photos, params.min_class_size)


def search(
    query_descriptors: Matrix,
    gallery_descriptors: Matrix,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    params: EvaluationParams,
) -> RetrievalResult:
    """Rank the gallery rows for every query, deep enough for every metric.

    One deeper than the largest class, so that each ranking shows its first hit of another. Where
    both are one collection, a query does not find itself.
    """
    evaluator = _evaluator(
        query_descriptors, gallery_descriptors, query_labels, gallery_labels, params
    )
    depth = max(1, min(evaluator.depth + 1, len(gallery_labels)))
    rankings = evaluator.rankings(
        *(query_descriptors, gallery_descriptors, depth, params.batch_size), params.reranking
    )
    return joined(list(rankings), depth)


def score(
    hits: RetrievalResult,
    query_descriptors: Matrix,
    gallery_descriptors: Matrix,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    split: pd.DataFrame,
    params: EvaluationParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Score rankings and verification pairs.

    Returns:
        The pairs with their similarities; a row a query; a row a class; and the metrics over all
        queries, with the number of scored classes that trained.
    """
    matrices = query_descriptors, gallery_descriptors
    labels = query_labels, gallery_labels
    pairs = compare_pairs(*matrices, *labels, params.seed)
    evaluator = _evaluator(*matrices, *labels, params)
    by_query = evaluator.per_query(hits)
    if params.whole_ranking and "AP" not in by_query and len(by_query):
        size = max(1, WHOLE_CELLS // len(gallery_labels))
        rankings = evaluator.rankings(*matrices, len(gallery_labels), size, params.reranking)
        whole = pd.concat([evaluator.per_query(part) for part in rankings])
        average = by_query["Query"].map(whole.set_index("Query")["AP"])
        by_query.insert(list(by_query).index("RP") + 1, "AP", average)
    by_class = per_class(by_query)
    metrics: dict[str, Any] = evaluator.summarise(by_query)
    untrained = "untrained" in gallery_descriptors.attributes
    trained = 0 if untrained else protocols.trained_classes(by_class["Class"], split)
    metrics["trained_classes"] = trained
    if len(pairs):
        check = verification(pairs["Similarity"], pairs["Same"])
        metrics |= {"AUC": check.auc, "EER": check.eer, "threshold": check.threshold}
    metrics = {name: None if pd.isna(value) else value for name, value in metrics.items()}
    return pairs, by_query, by_class, metrics


def compare_pairs(
    query_descriptors: Matrix,
    gallery_descriptors: Matrix,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    seed: int,
) -> pd.DataFrame:
    """Similarities of a balanced list of pairs: Query, Gallery, Same, Similarity."""
    if gallery_labels.nunique() < 2 or not query_labels.isin(gallery_labels).any():
        return pd.DataFrame(columns=["Query", "Gallery", "Same", "Similarity"], dtype=float)
    pairs = sample_pairs(query_labels, gallery_labels, seed)
    similarity = [
        np.einsum("pd,pd->p", query_descriptors[part[:, 0]], gallery_descriptors[part[:, 1]])
        for part in np.array_split(pairs, 1 + len(pairs) // PAIRS_BLOCK)
    ]
    table = pd.DataFrame(pairs, columns=["Query", "Gallery", "Same"])
    return table.assign(Similarity=np.concatenate(similarity))


def summarise(**metrics: dict[str, Any]) -> pd.DataFrame:
    """Tabulate metrics, named `<split>_<protocol>`; filtered ones without a query are left out."""
    rows = []
    for name, values in metrics.items():
        split, protocol = name.split("_")
        if protocol == "filtered" and not values["queries"]:
            continue
        left_out = (*COUNTS, "queries_without_match", "gallery_classes", "threshold")
        scores = {key: value for key, value in values.items() if key not in left_out}
        counts = {key: values[key] for key in COUNTS}
        rows.append({"split": split, "protocol": protocol} | counts | scores)
    return pd.DataFrame(rows)


def _evaluator(
    query_descriptors: Matrix,
    gallery_descriptors: Matrix,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    params: EvaluationParams,
) -> RetrievalEvaluator:
    own = query_descriptors.is_same(gallery_descriptors)
    return RetrievalEvaluator(query_labels, gallery_labels, params.k, tuple(params.recall_at), own)
