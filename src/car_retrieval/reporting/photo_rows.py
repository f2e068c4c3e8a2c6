"""Read the photos of a picture grid from their files."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from car_retrieval.data.attributes import name_of
from car_retrieval.images.decode import decode
from car_retrieval.reporting.photo_grid import GridMatch, GridRow
from car_retrieval.search.result import RetrievalResult

COLUMNS = 10
THUMBNAIL = 240

Collection = tuple[pd.DataFrame, Mapping[str, bytes]]
"""A table of photos and their files."""


def query_rows(
    query_ids: list[int],
    scores: pd.Series,
    hits: RetrievalResult,
    queries: Collection,
    gallery: Collection,
    metric: str,
) -> list[GridRow]:
    """Rows to show: each query with its first matches.

    Args:
        query_ids: which queries.
        scores: their metric by id, for the caption; NaN: nothing is right or wrong of it.
        hits: what was found.
        queries: their photos.
        gallery: the searched photos.
        metric: name of the score.
    """
    rows = []
    places = {int(query): place for place, query in enumerate(hits.query_ids)}
    for query in query_ids:
        shown = queries[0].iloc[query]
        place, scored = places[query], not np.isnan(scores[query])
        found = zip(hits.hits[place, :COLUMNS], hits.scores[place, :COLUMNS], strict=True)
        matches = [
            GridMatch(
                _photo(gallery, int(hit)),
                bool(gallery[0]["Class"].iloc[hit] == shown["Class"]) if scored else None,
                float(similarity),
                name_of(gallery[0].iloc[hit]),
            )
            for hit, similarity in found
            if hit >= 0
        ]
        caption = name_of(shown) + (f" · {metric} {scores[query]:.2f}" if scored else "")
        rows.append(GridRow(_photo(queries, query), caption, matches))
    return rows


def confusion_rows(
    pairs: pd.DataFrame,
    hits: RetrievalResult,
    queries: Collection,
    gallery: Collection,
    gallery_labels: pd.Series,
) -> list[GridRow]:
    """Rows to show: a query, the photo that it was taken for, and the one that it should find.

    The last is the first right hit, or, where the ranking has none, the class's first photo.

    Args:
        pairs: rows of `metrics.confusions.confusions`, with the names of both classes.
        hits: what was found.
        queries: their photos.
        gallery: the photos, of which some were searched.
        gallery_labels: their classes by row.
    """
    rows = []
    one = queries[0].equals(gallery[0])  # a query is then a gallery photo itself
    places = {int(query): place for place, query in enumerate(hits.query_ids)}
    for pair in pairs.to_dict("records"):
        found, scores = (part[places[pair["Query"]]] for part in (hits.hits, hits.scores))
        own = gallery_labels.index[gallery_labels == pair["Class"]]
        own = own[own != pair["Query"]] if one else own
        right = np.flatnonzero(np.isin(found, own))[:1].tolist()
        true, score, where = (
            (found[right[0]], scores[right[0]], f"hit {right[0] + 1}")
            if right
            else (own[0], np.nan, f"hit > {hits.depth}")
        )
        wrong = _photo(gallery, pair["Hit"])
        matches = [
            GridMatch(wrong, False, pair["Similarity"], f"hit 1: {pair['Found name']}"),
            GridMatch(_photo(gallery, int(true)), True, float(score), f"{where}: {pair['Name']}"),
        ]
        share = f"{pair['Confused']} of {pair['Queries']}"
        caption = f"{pair['Name']} → {pair['Found name']} · {share}"
        rows.append(GridRow(_photo(queries, pair["Query"]), caption, matches))
    return rows


def _photo(collection: Collection, row: int) -> np.ndarray:
    photos, files = collection
    return decode(files[photos["Path"].iloc[row]], THUMBNAIL).pixels
