"""Draw the figures of one split and protocol."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from PIL.Image import Image

from car_retrieval.metrics.retrieval import per_class
from car_retrieval.metrics.verification import verification
from car_retrieval.params import EvaluationParams
from car_retrieval.reporting import figures
from car_retrieval.reporting.photo_grid import pick_queries, retrieval_grid
from car_retrieval.reporting.photo_rows import query_rows
from car_retrieval.search.result import RetrievalResult


def draw_figures(
    by_query: pd.DataFrame,
    pairs: pd.DataFrame,
    hits: RetrievalResult,
    query_photos: pd.DataFrame,
    query_files: Mapping[str, bytes],
    gallery_photos: pd.DataFrame,
    gallery_files: Mapping[str, bytes],
    params: EvaluationParams,
) -> dict[str, Figure | Image]:
    """Draw the curves, and the best, the median and the worst queries with what they found.

    Returns:
        `recall`, `roc`, `similarity`, `sizes`; `best`, `median`, `worst`.
    """
    check = verification(pairs["Similarity"], pairs["Same"]) if len(pairs) else None
    same = pairs["Same"] == 1
    curves: dict[str, Figure | Image] = {
        "recall": figures.recall_curve({"exact": by_query}),
        "roc": figures.roc_figure({"exact": check} if check else {}),
        "similarity": figures.similarity_histogram(
            pairs["Similarity"][same],
            pairs["Similarity"][~same],
            check.threshold if check else float("nan"),
        ),
        "sizes": figures.ap_by_class_size(per_class(by_query)),
    }
    metric = f"AP@{params.k}"
    scores = by_query.set_index("Query")[metric]
    sides = (query_photos, query_files), (gallery_photos, gallery_files)
    title = "{} queries by {}, one of a class where there are enough"
    if scores.isna().all():
        title = "Queries and their most similar photos"
    grids = {
        kind: retrieval_grid(
            title.format(kind.capitalize(), metric),
            query_rows(ids, scores, hits, *sides, metric),
        )
        for kind, ids in pick_queries(by_query, params.shown_queries).items()
    }
    return curves | grids
