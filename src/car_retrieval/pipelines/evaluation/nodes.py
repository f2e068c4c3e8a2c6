"""Select queries and gallery, search exactly, score."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from car_retrieval.data import protocols
from car_retrieval.data.known_photos import GALLERY, NEW, QUERIES, SEARCHED, KnownPhotos
from car_retrieval.data.splits import TRAIN, VALID
from car_retrieval.io.matrix import Matrix
from car_retrieval.metrics.evaluator import RetrievalEvaluator
from car_retrieval.metrics.retrieval import per_class
from car_retrieval.metrics.verification import sample_pairs, verification
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.params import EvaluationParams
from car_retrieval.search.gallery import joined
from car_retrieval.search.result import RetrievalResult
from car_retrieval.training.untrained import untrained

PAIRS_BLOCK = 16_384
WHOLE_CELLS = 1 << 22  # hits of whole rankings that are held at a time
COUNTS = ["queries", "classes", "trained_classes", "gallery"]
MARKS = ["trained_queries", "new_photos"]  # counts that a summary has if one is not 0
STAND_INS = 200  # gallery photos that search the others where there are no query photos
log = logging.getLogger(__name__)

Selection = tuple[pd.Series, pd.Series, pd.Series, pd.Series]
"""Classes of queries and gallery rows: of all classes, then of the large ones."""


def tell_roles(
    model: DescriptorNet,
    split: pd.DataFrame,
    query_photos: pd.DataFrame,
    gallery_photos: pd.DataFrame,
) -> pd.DataFrame:
    """Tell which photos trained the network, and which are new since its training.

    Args:
        model: the network; one of an older version was trained on the photos of the split.
        split: split of the gallery of the run.
        query_photos: list of queries.
        gallery_photos: what test queries search.

    Returns:
        Collection, Index, Path, Class, Role (`train`, `other`, `new`), a row per photo.
    """
    known = model.photos or KnownPhotos.of(split, untrained(model.provenance) is None)
    collections = {GALLERY: split, SEARCHED: gallery_photos, QUERIES: query_photos}
    parts = [
        photos[["Index", "Path", "Class"]].assign(Collection=name, Role=known.roles(photos["Hash"]))
        for name, photos in collections.items()
    ]
    table = pd.concat([part.astype({"Class": "Int64"}) for part in parts], ignore_index=True)
    return table[["Collection", "Index", "Path", "Class", "Role"]]


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
    model: DescriptorNet,
    params: EvaluationParams,
) -> tuple[pd.Series, pd.Series, pd.Series, pd.Series, pd.DataFrame]:
    """Select the query photos as queries of the whole test gallery.

    Without query photos, some gallery photos search the others, to show matches and to compare
    searchers. A network that was trained is not scored on them.

    Returns:
        A `Selection`; and `training_roles`, see `tell_roles`.
    """
    roles = tell_roles(model, split, query_photos, gallery_photos)
    if query_photos.empty:
        return *_stand_ins(gallery_photos, roles, params), roles
    gallery_roles = roles[roles["Collection"] == GALLERY]
    trained = protocols.trained_classes(query_photos["Class"], gallery_roles)
    if params.search_in == "queries" and trained:
        log.warning(
            "%d of %d classes of the queries trained the network: these scores cannot be compared "
            "with those of classes that training never saw (evaluation.search_in: queries)",
            *(trained, query_photos["Class"].nunique()),
        )
    labels = protocols.labels_of(query_photos), protocols.labels_of(gallery_photos)
    filtered = protocols.filtered_protocol(*labels, gallery_photos, params.min_class_size)
    return *labels, *filtered, roles


def _stand_ins(
    gallery_photos: pd.DataFrame, training_roles: pd.DataFrame, params: EvaluationParams
) -> Selection:
    labels = protocols.labels_of(gallery_photos)
    queries = labels.sample(min(STAND_INS, len(labels)), random_state=params.seed).sort_index()
    if (training_roles["Role"] == TRAIN).any():
        queries = protocols.without_classes(queries)
    sides = queries, labels
    return *sides, *protocols.filtered_protocol(*sides, gallery_photos, params.min_class_size)


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
    training_roles: pd.DataFrame,
    params: EvaluationParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Score rankings and verification pairs.

    Returns:
        The pairs with their similarities; a row a query; a row a class; and the metrics over all
        queries, with the number of scored classes that trained, and why nothing is scored, if so.
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
    known = gallery_labels[protocols.have_classes(gallery_labels)]
    metrics["gallery_classes"] = known.nunique()
    roles = training_roles[training_roles["Collection"] == GALLERY]
    metrics["trained_classes"] = protocols.trained_classes(by_class["Class"], roles)
    metrics["unscored"] = protocols.why_unscored(*labels, metrics["queries"] > 0)
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
    shared = query_labels[query_labels.isin(gallery_labels)]
    own = query_descriptors.is_same(gallery_descriptors)
    if own:  # a photo is no match of its own
        shared = shared[shared.isin(gallery_labels[gallery_labels.duplicated()])]
    if gallery_labels.nunique() < 2 or shared.empty:
        return pd.DataFrame(columns=["Query", "Gallery", "Same", "Similarity"], dtype=float)
    pairs = sample_pairs(query_labels, gallery_labels, seed)
    similarity = [
        np.einsum("pd,pd->p", query_descriptors[part[:, 0]], gallery_descriptors[part[:, 1]])
        for part in np.array_split(pairs, 1 + len(pairs) // PAIRS_BLOCK)
    ]
    table = pd.DataFrame(pairs, columns=["Query", "Gallery", "Same"])
    return table.assign(Similarity=np.concatenate(similarity))


def summarise(
    training_roles: pd.DataFrame, split: pd.DataFrame, **metrics: dict[str, Any]
) -> pd.DataFrame:
    """Tabulate metrics, named `<split>_<protocol>`; filtered ones without a query are left out.

    If there are any: `trained_queries`, queries that trained the network; `new_photos`, photos of
    the gallery that are new since its training; and `unscored`, why there are no scores.
    """
    marks = _marks(training_roles, split)
    rows = []
    for name, values in metrics.items():
        part, protocol = name.split("_")
        if protocol == "filtered" and not values["queries"]:
            continue
        left_out = (*COUNTS, "queries_without_match", "gallery_classes", "threshold", "unscored")
        scores = {key: value for key, value in values.items() if key not in left_out}
        counts = {key: values[key] for key in COUNTS}
        why = {"unscored": values["unscored"] or ""}
        if values["unscored"]:
            scores = dict.fromkeys(scores)
        row = {"split": part, "protocol": protocol} | why
        rows.append(row | counts | marks[part] | scores)
    table = pd.DataFrame(rows)
    table = table.fillna(np.nan).infer_objects()  # a column of None is no number
    return table.drop(columns=[name for name in ("unscored", *MARKS) if not table[name].any()])


def _marks(training_roles: pd.DataFrame, split: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count queries that trained and gallery photos that are new, by split."""
    parts = dict(list(training_roles.groupby("Collection")))
    gallery, none = parts[GALLERY], training_roles[:0]
    valid = gallery[gallery["Index"].isin(split.loc[split["split"] == VALID, "Index"])]
    sides = {
        "valid": (valid, gallery),
        "test": (parts.get(QUERIES, none), parts.get(SEARCHED, none)),
    }
    return {
        name: {
            "trained_queries": int((queries["Role"] == TRAIN).sum()),
            "new_photos": int((searched["Role"] == NEW).sum()),
        }
        for name, (queries, searched) in sides.items()
    }


def _evaluator(
    query_descriptors: Matrix,
    gallery_descriptors: Matrix,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    params: EvaluationParams,
) -> RetrievalEvaluator:
    own = query_descriptors.is_same(gallery_descriptors)
    return RetrievalEvaluator(query_labels, gallery_labels, params.k, tuple(params.recall_at), own)
