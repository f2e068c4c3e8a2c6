"""Select, search exactly, score, draw."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from car_retrieval import protocol
from car_retrieval.listing import digest
from car_retrieval.matrix import Matrix
from car_retrieval.metrics.results import RetrievalResult
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

PAIRS_BLOCK = 16_384


def select_valid(split: pd.DataFrame, gallery: pd.DataFrame) -> protocol.Labels:
    """Validation photos query the training photos, or each other: see `valid_protocol`."""
    columns = ("Path", "Hash", "Class")
    if digest(split, columns) != digest(gallery, columns):
        raise ValueError(
            "split was made from another list of photos or classes than car_front: run the "
            "pipeline data_processing again"
        )
    return protocol.valid_protocol(split)


def select_test(test_set: Matrix, queries: pd.DataFrame, gallery: pd.DataFrame) -> protocol.Labels:
    """Query photos query the whole gallery."""
    labels = test_set[:]
    if not np.array_equal(labels, queries[["Index", "Class"]]):
        raise ValueError(
            "test_set does not hold Index and Class of test_index: run the pipeline "
            "data_processing again"
        )
    return protocol.query_protocol(labels, gallery)


def keep_large_classes(
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    gallery: pd.DataFrame,
    params: EvaluationParams,
) -> protocol.Labels:
    """The same without the classes of few gallery photos."""
    return protocol.filtered_protocol(query_labels, gallery_labels, gallery, params.min_class_size)


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
    own = self_in_gallery(queries, gallery)
    depth = required_depth(query_labels, gallery_labels, max(params.k, *params.recall_at))
    depth = max(1, min(depth + 1, len(gallery_labels)))
    query_ids, rows = query_labels.index.to_numpy(), np.sort(gallery_labels.index.to_numpy())
    ranking = _ranking(Gallery(gallery, rows), params.reranking)
    batches = range(0, len(query_ids), params.batch_size)
    parts = [
        ranking.search(ids, queries[ids], depth, exclude=ids if own else None)
        for start in tqdm(batches, desc="searching", unit="batch", disable=None, leave=False)
        for ids in [query_ids[start : start + params.batch_size]]
    ]
    return joined(parts, depth)


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
    params: EvaluationParams,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Score the rankings and the pairs.

    Returns:
        A row a query; a row a class; and the metrics over all queries.
    """
    own = self_in_gallery(queries, gallery)
    by_query = per_query(
        hits, query_labels, gallery_labels, params.recall_at, params.k, self_in_gallery=own
    )
    metrics: dict[str, Any] = summarise(by_query, gallery_labels, params.k)
    if (check := _verified(pairs)) is not None:
        metrics |= {"AUC": check.auc, "EER": check.eer, "threshold": check.threshold}
    metrics = {name: None if pd.isna(value) else value for name, value in metrics.items()}
    return by_query, per_class(by_query), metrics


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
