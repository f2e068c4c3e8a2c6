"""Compressed searchers beside exact search, and the index to keep."""

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
from car_retrieval.search.recall import recall_against_exact
from car_retrieval.search.result import RetrievalResult
from car_retrieval.search.storage import SignedIndex

DIGITS = {"fit s": 3, "add s": 3, "bytes/vector": 1, "peak MB": 1}


def compare_searchers(
    query_descriptors: Matrix,
    gallery_descriptors: Matrix,
    query_labels: pd.Series,
    gallery_labels: pd.Series,
    params: EvaluationParams,
) -> pd.DataFrame:
    """Measure quality and cost of each searcher, exact search first; no hits are re-ranked.

    Returns:
        A row a searcher: `searcher`, `mAP@k`, `R@1`, `recall@k`, and the columns of
        `car_retrieval.search.comparison`.

    Raises:
        ValueError: a searcher cannot be fitted to the descriptors.
    """
    own = query_descriptors.is_same(gallery_descriptors)
    evaluator = RetrievalEvaluator(query_labels, gallery_labels, params.k, own=own)
    rows = np.sort(gallery_labels.index.to_numpy())
    task = Task(
        *(query_descriptors, evaluator.query_ids, gallery_descriptors, rows),
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
    """Join the tables of the splits, and draw recall against speed."""
    parts = [table.assign(split=split) for split, table in tables.items()]
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "split", table.pop("split"))
    table = table.round({name: 1 for name in table.columns if "q/s" in name} | DIGITS)
    return table, recall_against_speed(table)


def index_gallery(gallery_descriptors: Matrix, params: EvaluationParams) -> SignedIndex:
    """Index the whole gallery by the first LOPQ searcher; ids are the gallery's rows.

    Raises:
        ValueError: no searcher is of kind lopq, or it cannot be fitted.
    """
    name = next((name for name, own in params.searchers.items() if own.kind == "lopq"), None)
    if name is None:
        raise ValueError(
            "evaluation.searchers has none of kind lopq, which the gallery is indexed with: add "
            "one, such as lopq: {kind: lopq}"
        )
    kind, settings, _ = _plain(params.searchers[name])
    index = make_index(kind, settings)
    try:
        fill(index, gallery_descriptors, np.arange(len(gallery_descriptors)), params.seed)
    except ValueError as error:
        raise ValueError(f"evaluation.searchers.{name}: {error}") from error
    about = gallery_descriptors.attributes
    signature = {name: about.get(name) for name in ("encoder", "photos")}
    return SignedIndex(index, signature)


def _plain(searcher: SearcherParams) -> tuple[str, dict[str, Any], int]:
    """Kind, settings of the index, and candidates to re-rank."""
    return searcher.kind, searcher.model_dump(exclude={"kind", "rerank"}), searcher.rerank
