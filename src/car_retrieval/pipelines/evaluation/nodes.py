"""Search, score, draw."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from car_retrieval import protocol
from car_retrieval.listing import digest
from car_retrieval.matrix import Matrix
from car_retrieval.metrics.results import RetrievalResult
from car_retrieval.metrics.retrieval import per_class, per_query, required_depth, summarise
from car_retrieval.metrics.verification import Verification, sample_pairs, verification
from car_retrieval.params import EvaluationParams
from car_retrieval.pipelines.evaluation.checks import check_descriptors
from car_retrieval.pipelines.evaluation.photos import gallery_rows
from car_retrieval.reporting import figures
from car_retrieval.reporting.gallery import pick_queries, retrieval_gallery
from car_retrieval.reporting.report import Section, html_report
from car_retrieval.search.exact import Block, search_exact

GALLERY_BLOCK = 16_384


def select_valid(split: pd.DataFrame, gallery: pd.DataFrame) -> protocol.Labels:
    """Validation photos query the training photos."""
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
    """Rank the gallery rows for every query by inner product, deep enough for every metric."""
    check_descriptors(queries, gallery, query_photos, gallery_photos)
    depth = required_depth(query_labels, gallery_labels, max(params.k, *params.recall_at))
    query_ids, rows = query_labels.index.to_numpy(), gallery_labels.index.to_numpy()

    def blocks() -> Iterator[Block]:
        for start in range(0, len(rows), GALLERY_BLOCK):
            ids = rows[start : start + GALLERY_BLOCK]
            yield ids, gallery[ids]

    parts = [
        search_exact(ids, queries[ids], blocks(), depth)
        for start in range(0, max(1, len(query_ids)), params.batch_size)
        for ids in [query_ids[start : start + params.batch_size]]
    ]
    return RetrievalResult(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("query_ids", "hits", "scores")
        )
    )


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
    if not query_labels.isin(gallery_labels).any():
        return pd.DataFrame(columns=["Query", "Gallery", "Same", "Similarity"], dtype=float)
    pairs = sample_pairs(query_labels, gallery_labels, params.seed)
    similarity = [
        np.einsum("pd,pd->p", queries[part[:, 0]], gallery[part[:, 1]])
        for part in np.array_split(pairs, 1 + len(pairs) // GALLERY_BLOCK)
    ]
    table = pd.DataFrame(pairs, columns=["Query", "Gallery", "Same"])
    return table.assign(Similarity=np.concatenate(similarity))


def score(
    hits: RetrievalResult,
    pairs: pd.DataFrame,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    params: EvaluationParams,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Score the rankings and the pairs.

    Returns:
        A row a query; a row a class; and the metrics over all queries.
    """
    by_query = per_query(hits, query_labels, gallery_labels, params.recall_at, params.k)
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


def summarise_metrics(**metrics: dict[str, Any]) -> pd.DataFrame:
    """One row for each split and protocol, from metrics named `<split>_<protocol>`.

    The filtered ones without a query are left out.
    """
    shown = ["queries", "classes", "gallery"]
    rows = []
    for name, values in metrics.items():
        split, selection = name.split("_")
        if selection == "filtered" and not values["queries"]:
            continue
        scores = {
            key: value
            for key, value in values.items()
            if key not in (*shown, "queries_without_match", "gallery_classes", "threshold")
        }
        counts = {key: values[key] for key in shown}
        rows.append({"split": split, "protocol": selection} | counts | scores)
    return pd.DataFrame(rows)


def write_report(
    summary: pd.DataFrame,
    training_curves: bytes,
    training_history: pd.DataFrame,
    database: Matrix,
    params: EvaluationParams,
    **pictures: bytes,
) -> str:
    """One HTML page of the whole run."""
    selections = {
        "all": "",
        "filtered": f", of the classes with at least {params.min_class_size} gallery photos only",
    }
    sections = [
        Section(
            "Training",
            "Loss over the epochs, and what the validation photos say.",
            [("Training curves", training_curves)],
        )
    ]
    for split, selection in zip(summary["split"], summary["protocol"], strict=True):
        own = {kind: pictures[f"{split}_{selection}_{kind}"] for kind in CAPTIONS}
        sections.append(
            Section(
                f"{split.capitalize()}, {selection}",
                f"{PROTOCOLS[split]}{selections[selection]}.",
                [(CAPTIONS[kind], picture) for kind, picture in own.items()],
            )
        )
    about = _about(database, training_history)
    for split in summary["split"].unique():
        if not ((summary["split"] == split) & (summary["protocol"] == "filtered")).any():
            about += (
                f". No `filtered` scores of {split}: no class that is queried has "
                f"{params.min_class_size} gallery photos; lower evaluation.min_class_size"
            )
    return html_report("Car retrieval", summary, sections, about)


CAPTIONS = {
    "recall": "R@k: share of queries with a right hit among the first k",
    "roc": "Verification: same model or not",
    "similarity": "Similarities of pairs of one class and of two",
    "sizes": "Mean AP of a class against its gallery photos",
    "best": "Best queries",
    "median": "Median queries",
    "worst": "Worst queries",
}
PROTOCOLS = {
    "test": "Queries: the query photos; gallery: the gallery photos",
    "valid": "Queries: the validation photos; gallery: the training photos",
}


def _about(database: Matrix, history: pd.DataFrame) -> str:
    """Which collection, run and network: the descriptors know their encoder and their place."""
    encoder = database.attributes["encoder"]
    collection, version = database.path.parents[2].name, database.path.parent.name
    return (
        f"Collection {collection} · descriptors of {version} · {encoder['arch']} · "
        f"{encoder['image_size']} px · {len(history)} epochs"
    )


def _verified(pairs: pd.DataFrame) -> Verification | None:
    return verification(pairs["Similarity"], pairs["Same"]) if len(pairs) else None
