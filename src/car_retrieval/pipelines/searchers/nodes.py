"""Compressed searchers beside exact search, and the index to keep."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from car_retrieval.io.matrix import Matrix
from car_retrieval.metrics.evaluator import RetrievalEvaluator
from car_retrieval.params import EvaluationParams, SearcherParams
from car_retrieval.reporting.searchers import recall_against_speed
from car_retrieval.search.build import fill, make_index
from car_retrieval.search.comparison import Row, Task, exact_scores, measure, measure_exact
from car_retrieval.search.index import Index
from car_retrieval.search.recall import recall_against_exact
from car_retrieval.search.result import RetrievalResult
from car_retrieval.search.sizes import changes, fitting
from car_retrieval.search.storage import SignedIndex

log = logging.getLogger(__name__)

DIGITS = {"fit s": 3, "add s": 3, "bytes/vector": 1, "peak MB": 1}


def compare_searchers(
    query_descriptors: Matrix,
    searched_descriptors: Matrix,
    query_labels: pd.Series,
    searched_labels: pd.Series,
    gallery_descriptors: Matrix,
    params: EvaluationParams,
) -> tuple[pd.DataFrame, Figure, SignedIndex]:
    """Measure quality and cost of each searcher, exact search first; no hits are re-ranked.

    Returns:
        A row per searcher: `searcher`, `mAP@k`, `R@1`, `recall@k`, and the columns of
        `car_retrieval.search.comparison`; recall against speed; and the whole gallery in the first
        LOPQ searcher, whose ids are the gallery's rows.

    Raises:
        ValueError: a searcher cannot be fitted to the descriptors, or none is of kind lopq.
    """
    lopq = _first_lopq(params)
    dimension = searched_descriptors.shape[1]
    kinds = {name: _plain(searcher)[:2] for name, searcher in params.searchers.items()}
    if said := changes(kinds, len(searched_labels), dimension):
        log.info("%d photos of %d dimensions: %s", len(searched_labels), dimension, said)
    own = query_descriptors.is_same(searched_descriptors)
    evaluator = RetrievalEvaluator(query_labels, searched_labels, params.k, own=own)
    rows = np.sort(searched_labels.index.to_numpy())
    task = Task(
        *(query_descriptors, evaluator.query_ids, searched_descriptors, rows),
        *(params.k, params.batch_size, own),
    )

    row, nearest = measure_exact(task)

    def accuracy(found: RetrievalResult) -> Row:
        whole = found.padded(max(0, evaluator.depth - found.depth))  # counts as missed
        scores = evaluator.summarise(evaluator.per_query(whole))
        recall = recall_against_exact(exact_scores(found, task), nearest.scores, params.k)
        return {name: scores[name] for name in (f"mAP@{params.k}", "R@1")} | {
            f"recall@{params.k}": recall
        }

    parts: list[dict[str, Any]] = [{"searcher": "exact"} | accuracy(nearest) | row]
    index: Index | None = None
    for name, searcher in tqdm(
        params.searchers.items(), desc="searchers", disable=None, leave=False
    ):
        with _named(name):
            kind, settings, rerank = _plain(searcher)
            settings = fitting(kind, settings, len(rows), dimension)
            fitted, row, found = measure(kind, settings, rerank, task, params.seed)
        parts.append({"searcher": name} | accuracy(found) | row)
        if name == lopq:
            index = fitted
    table = pd.DataFrame(parts)
    table = table.round({name: 1 for name in table.columns if "q/s" in name} | DIGITS)
    if not searched_descriptors.is_same(gallery_descriptors) or len(rows) < len(
        gallery_descriptors
    ):
        index = None  # of other photos
    signed = index_gallery(gallery_descriptors, params, index)
    return table, recall_against_speed(table), signed


def index_gallery(
    gallery_descriptors: Matrix, params: EvaluationParams, index: Index | None = None
) -> SignedIndex:
    """Index the whole gallery by the first LOPQ searcher; ids are the gallery's rows.

    Args:
        gallery_descriptors: float32 [n, D].
        params: its `searchers`.
        index: that searcher, if the whole gallery is in it already.

    Raises:
        ValueError: no searcher is of kind lopq, or it cannot be fitted.
    """
    name = _first_lopq(params)
    if index is None:
        kind, settings, _ = _plain(params.searchers[name])
        index = make_index(kind, fitting(kind, settings, *gallery_descriptors.shape))
        with _named(name):
            fill(index, gallery_descriptors, np.arange(len(gallery_descriptors)), params.seed)
    about = gallery_descriptors.attributes
    return SignedIndex(index, {name: about.get(name) for name in ("encoder", "photos")})


def _first_lopq(params: EvaluationParams) -> str:
    """Name of the searcher that the gallery is indexed with."""
    for name, searcher in params.searchers.items():
        if searcher.kind == "lopq":
            return name
    raise ValueError(
        "evaluation.searchers has none of kind lopq, which the gallery is indexed with: add one, "
        "such as lopq: {kind: lopq}"
    )


@contextmanager
def _named(searcher: str) -> Iterator[None]:
    """Name the searcher in errors."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"evaluation.searchers.{searcher}: {error}") from error


def _plain(searcher: SearcherParams) -> tuple[str, dict[str, Any], int]:
    """Kind, settings of the index, and candidates to re-rank."""
    return searcher.kind, searcher.model_dump(exclude={"kind", "rerank"}), searcher.rerank
