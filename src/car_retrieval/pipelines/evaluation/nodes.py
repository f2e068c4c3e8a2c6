"""Select, search exactly, score, draw."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from car_retrieval.data import protocols
from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import Matrix
from car_retrieval.metrics.retrieval import per_class, per_query, required_depth, summarise
from car_retrieval.metrics.verification import Verification, sample_pairs, verification
from car_retrieval.params import EvaluationParams, RerankingParams
from car_retrieval.pipelines.evaluation.checks import check_descriptors, self_in_gallery
from car_retrieval.pipelines.evaluation.photos import gallery_rows
from car_retrieval.reporting import figures
from car_retrieval.reporting.gallery import pick_queries, retrieval_gallery
from car_retrieval.search.expansion import Expansion, expansion
from car_retrieval.search.gallery import Gallery, joined
from car_retrieval.search.kreciprocal import KReciprocal
from car_retrieval.search.result import RetrievalResult

PAIRS_BLOCK = 16_384
WHOLE_CELLS = 1 << 22  # hits of whole rankings that are held at a time
log = logging.getLogger(__name__)

Collection = tuple[Matrix, pd.DataFrame, Mapping[str, bytes], Matrix]
"""Descriptors, list, files and packed images of the same photos."""


def select_valid(split: pd.DataFrame, gallery: pd.DataFrame) -> protocols.Labels:
    """Validation photos query the training photos, or each other: see `valid_protocol`."""
    columns = ("Path", "Hash", "Class")
    if digest(split, columns) != digest(gallery, columns):
        raise ValueError(
            "split was made from another list of photos or classes than car_front: run the "
            "pipeline data_processing again"
        )
    return protocols.valid_protocol(split)


def choose_test_gallery(
    gallery: Matrix,
    gallery_photos: pd.DataFrame,
    gallery_images: Mapping[str, bytes],
    gallery_pixels: Matrix,
    queries: Matrix,
    query_photos: pd.DataFrame,
    query_images: Mapping[str, bytes],
    query_pixels: Matrix,
    params: EvaluationParams,
) -> Collection:
    """Choose what test queries search: the gallery, or each other (`search_in`).

    Returns:
        Descriptors, list, files and packed images of the chosen side, as they are.
    """
    if params.search_in == "queries":
        return queries, query_photos, query_images, query_pixels
    return gallery, gallery_photos, gallery_images, gallery_pixels


def select_test(
    test_set: Matrix,
    queries: pd.DataFrame,
    gallery: pd.DataFrame,
    split: pd.DataFrame,
    params: EvaluationParams,
) -> protocols.Labels:
    """Query photos query the test gallery, as a whole."""
    labels = test_set[:]
    if not np.array_equal(labels, queries[["Index", "Class"]]):
        raise ValueError(
            "test_set does not hold Index and Class of test_index: run the pipeline "
            "data_processing again"
        )
    trained = protocols.trained_classes(queries["Class"], split)
    if params.search_in == "queries" and trained:
        log.warning(
            "%d of %d classes of the queries trained the network: these scores cannot be compared "
            "with those of classes that training never saw (evaluation.search_in: queries)",
            *(trained, queries["Class"].nunique()),
        )
    return protocols.query_protocol(labels, gallery)


def keep_large_classes(
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    gallery: pd.DataFrame,
    params: EvaluationParams,
) -> protocols.Labels:
    """The same without the classes of few gallery photos."""
    return protocols.filtered_protocol(query_labels, gallery_labels, gallery, params.min_class_size)


def search(
    queries: Matrix,
    gallery: Matrix,
    query_photos: pd.DataFrame,
    gallery_photos: pd.DataFrame,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    params: EvaluationParams,
) -> RetrievalResult:
    """Rank the gallery rows for every query deep enough for every metric.

    One deeper than the largest class, so that each ranking shows its first hit of another. Where
    both are one collection, a query does not find itself.
    """
    check_descriptors(queries, gallery, query_photos, gallery_photos)
    depth = required_depth(query_labels, gallery_labels, max(params.k, *params.recall_at))
    depth = max(1, min(depth + 1, len(gallery_labels)))
    rankings = _rankings(
        *(queries, gallery, query_labels.index, gallery_labels.index),
        *(depth, params.batch_size, params.reranking),
    )
    return joined(list(rankings), depth)


def _rankings(
    queries: Matrix,
    gallery: Matrix,
    query_ids: pd.Index,
    gallery_ids: pd.Index,
    depth: int,
    batch_size: int,
    reranking: RerankingParams | None,
) -> Iterator[RetrievalResult]:
    """Rank so many queries at a time; where both sides are one collection, each without itself."""
    ids, rows = query_ids.to_numpy(), np.sort(gallery_ids.to_numpy())
    own = self_in_gallery(queries, gallery)
    ranking = _ranking(Gallery(gallery, rows), reranking)
    batches = range(0, len(ids), batch_size)
    for start in tqdm(batches, desc="searching", unit="batch", disable=None, leave=False):
        part = ids[start : start + batch_size]
        yield ranking.search(part, queries[part], depth, exclude=part if own else None)


def _whole_ap(
    queries: Matrix,
    gallery: Matrix,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    params: EvaluationParams,
) -> pd.Series:
    """Average precision of whole rankings by query id, some queries at a time."""
    rankings = _rankings(
        *(queries, gallery, query_labels.index, gallery_labels.index),
        *(len(gallery_labels), max(1, WHOLE_CELLS // len(gallery_labels)), params.reranking),
    )
    own = self_in_gallery(queries, gallery)
    parts = [
        per_query(part, query_labels, gallery_labels, (1,), 1, self_in_gallery=own)
        for part in rankings
    ]
    return pd.concat(parts).set_index("Query")["AP"]


def _ranking(gallery: Gallery, params: RerankingParams | None) -> Gallery | Expansion | KReciprocal:
    """What ranks the gallery: plain search, or one of the ways to improve on it."""
    if params is None:
        return gallery
    if params.kind == "expansion":
        return expansion(gallery, params.queries, params.gallery, params.alpha)
    return KReciprocal(gallery, **params.model_dump(exclude={"kind"}))


def compare_pairs(
    queries: Matrix,
    gallery: Matrix,
    query_photos: pd.DataFrame,
    gallery_photos: pd.DataFrame,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    params: EvaluationParams,
) -> pd.DataFrame:
    """Similarities of a balanced list of pairs: Query, Gallery, Same, Similarity."""
    check_descriptors(queries, gallery, query_photos, gallery_photos)
    if gallery_labels.nunique() < 2 or not query_labels.isin(gallery_labels).any():
        return pd.DataFrame(columns=["Query", "Gallery", "Same", "Similarity"], dtype=float)
    pairs = sample_pairs(query_labels, gallery_labels, params.seed)
    similarity = [
        np.einsum("pd,pd->p", queries[part[:, 0]], gallery[part[:, 1]])
        for part in np.array_split(pairs, 1 + len(pairs) // PAIRS_BLOCK)
    ]
    table = pd.DataFrame(pairs, columns=["Query", "Gallery", "Same"])
    return table.assign(Similarity=np.concatenate(similarity))


def score(
    hits: RetrievalResult,
    pairs: pd.DataFrame,
    queries: Matrix,
    gallery: Matrix,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    split: pd.DataFrame,
    params: EvaluationParams,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Score the rankings and the pairs, and count which of the scored classes trained.

    Returns:
        A row a query; a row a class; and the metrics over all queries.
    """
    own = self_in_gallery(queries, gallery)
    by_query = per_query(
        hits, query_labels, gallery_labels, params.recall_at, params.k, self_in_gallery=own
    )
    if params.whole_ranking and "AP" not in by_query and len(by_query):
        whole = _whole_ap(queries, gallery, query_labels, gallery_labels, params)
        place = list(by_query).index("RP") + 1
        by_query.insert(place, "AP", by_query["Query"].map(whole))
    by_class = per_class(by_query)
    metrics: dict[str, Any] = summarise(by_query, gallery_labels, params.k)
    untrained = "untrained" in gallery.attributes
    trained = 0 if untrained else protocols.trained_classes(by_class["Class"], split)
    metrics["trained_classes"] = trained
    if (check := _verified(pairs)) is not None:
        metrics |= {"AUC": check.auc, "EER": check.eer, "threshold": check.threshold}
    metrics = {name: None if pd.isna(value) else value for name, value in metrics.items()}
    return by_query, by_class, metrics


def draw_curves(
    by_query: pd.DataFrame, by_class: pd.DataFrame, pairs: pd.DataFrame
) -> tuple[Figure, Figure, Figure, Figure]:
    """Draw recall, ROC, similarities and AP by class size."""
    check = _verified(pairs)
    same = pairs["Same"] == 1
    return (
        figures.recall_curve({"exact": by_query}),
        figures.roc_figure({"exact": check} if check else {}),
        figures.similarity_histogram(
            pairs["Similarity"][same],
            pairs["Similarity"][~same],
            check.threshold if check else float("nan"),
        ),
        figures.ap_by_class_size(by_class),
    )


def show_queries(
    by_query: pd.DataFrame,
    hits: RetrievalResult,
    query_photos: pd.DataFrame,
    query_images: Mapping[str, bytes],
    gallery_photos: pd.DataFrame,
    gallery_images: Mapping[str, bytes],
    params: EvaluationParams,
) -> tuple[Figure, Figure, Figure]:
    """Show the best, the median and the worst queries with what they found."""
    picked = pick_queries(by_query, params.shown_queries)
    scores = by_query.set_index("Query")[f"AP@{params.k}"]
    best, median, worst = (
        retrieval_gallery(
            f"{kind.capitalize()} queries by AP@{params.k}, one of a class where there are enough",
            gallery_rows(
                ids,
                scores,
                hits,
                (query_photos, query_images),
                (gallery_photos, gallery_images),
                f"AP@{params.k}",
            ),
        )
        for kind, ids in picked.items()
    )
    return best, median, worst


def _verified(pairs: pd.DataFrame) -> Verification | None:
    return verification(pairs["Similarity"], pairs["Same"]) if len(pairs) else None
