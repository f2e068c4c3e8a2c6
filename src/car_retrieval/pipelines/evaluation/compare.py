"""Compressed searchers beside exact search, and the index to keep."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import Matrix
from car_retrieval.metrics.retrieval import per_query, required_depth, summarise
from car_retrieval.params import EvaluationParams, SearcherParams
from car_retrieval.pipelines.evaluation.checks import check_descriptors, self_in_gallery
from car_retrieval.reporting.searchers import recall_against_speed
from car_retrieval.search.build import fill, make_index
from car_retrieval.search.comparison import Row, Task, exact_scores, measure, measure_exact
from car_retrieval.search.recall import recall_against_exact
from car_retrieval.search.result import RetrievalResult
from car_retrieval.search.storage import SignedIndex

DIGITS = {"fit s": 3, "add s": 3, "bytes/vector": 1, "peak MB": 1}


def compare_searchers(
    queries: Matrix,
    gallery: Matrix,
    query_photos: pd.DataFrame,
    gallery_photos: pd.DataFrame,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    params: EvaluationParams,
) -> pd.DataFrame:
    """Quality and cost of each searcher, exact search first; nothing is re-ranked here.

    Returns:
        A row a searcher: `searcher`, `mAP@k`, `R@1`, `recall@k`, and the columns of
        `car_retrieval.search.comparison`.

    Raises:
        ValueError: descriptors do not belong together, or a searcher cannot be fitted to them.
    """
    check_descriptors(queries, gallery, query_photos, gallery_photos)
    query_ids, rows = query_labels.index.to_numpy(), gallery_labels.index.to_numpy()
    own = self_in_gallery(queries, gallery)
    task = Task(queries, query_ids, gallery, np.sort(rows), params.k, params.batch_size, own)

    row, nearest = measure_exact(task)

    def accuracy(found: RetrievalResult) -> Row:
        scores = exact_scores(found, task)
        return _class_scores(found, query_labels, gallery_labels, params.k, own) | {
            f"recall@{params.k}": recall_against_exact(scores, nearest.scores, params.k)
        }

    table: list[dict[str, Any]] = [{"searcher": "exact"} | accuracy(nearest) | row]
    for name, searcher in tqdm(
        params.searchers.items(), desc="searchers", disable=None, leave=False
    ):
        try:
            row, found = measure(*_plain(searcher), task, params.seed)
        except ValueError as error:
            raise ValueError(f"evaluation.searchers.{name}: {error}") from error
        table.append({"searcher": name} | accuracy(found) | row)
    return pd.DataFrame(table)


def join_searchers(**tables: pd.DataFrame) -> tuple[pd.DataFrame, Figure]:
    """One table of the splits' tables, and recall against speed."""
    parts = [table.assign(split=split) for split, table in tables.items()]
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "split", table.pop("split"))
    table = table.round({name: 1 for name in table.columns if "q/s" in name} | DIGITS)
    return table, recall_against_speed(table)


def index_gallery(
    gallery: Matrix, gallery_photos: pd.DataFrame, params: EvaluationParams
) -> SignedIndex:
    """The whole gallery in an index of the first LOPQ searcher; its ids are the gallery's rows.

    Raises:
        ValueError: no searcher is of kind lopq, the gallery is another, or it cannot be fitted.
    """
    if gallery.attributes.get("photos") != digest(gallery_photos):
        raise ValueError(
            f"{gallery.path.name} describes another list of photos than the present one: run the "
            "pipeline encoding again"
        )
    name = next((name for name, own in params.searchers.items() if own.kind == "lopq"), None)
    if name is None:
        raise ValueError(
            "evaluation.searchers has none of kind lopq, which the gallery is indexed with: add "
            "one, such as lopq: {kind: lopq}"
        )
    kind, settings, _ = _plain(params.searchers[name])
    index = make_index(kind, settings)
    try:
        fill(index, gallery, np.arange(len(gallery)), params.seed)
    except ValueError as error:
        raise ValueError(f"evaluation.searchers.{name}: {error}") from error
    signature = {name: gallery.attributes.get(name) for name in ("encoder", "photos")}
    return SignedIndex(index, signature)


def _plain(searcher: SearcherParams) -> tuple[str, dict[str, Any], int]:
    """Kind, settings of the index, and candidates to re-rank."""
    return searcher.kind, searcher.model_dump(exclude={"kind", "rerank"}), searcher.rerank


def _class_scores(
    found: RetrievalResult, query_labels: pd.Series, gallery_labels: pd.Series, k: int, own: bool
) -> Row:
    """Class metrics that need no more than the first k hits."""
    depth = required_depth(query_labels, gallery_labels, k)
    wanted = ((0, 0), (0, max(0, depth - found.depth)))  # what was not searched counts as missed
    padded = RetrievalResult(
        found.query_ids,
        np.pad(found.hits, wanted, constant_values=-1),
        np.pad(found.scores, wanted, constant_values=-np.inf),
    )
    table = per_query(padded, query_labels, gallery_labels, (1,), k, self_in_gallery=own)
    scores = summarise(table, gallery_labels, k)
    return {name: scores[name] for name in (f"mAP@{k}", "R@1")}
