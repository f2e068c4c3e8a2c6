"""The photos of a picture gallery, read from their files."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from car_retrieval.images.decode import decode
from car_retrieval.metrics.results import RetrievalResult
from car_retrieval.reporting.gallery import GalleryRow, Match

COLUMNS = 10
THUMBNAIL = 240

Collection = tuple[pd.DataFrame, Mapping[str, bytes]]
"""A table of photos and their files."""


def gallery_rows(
    query_ids: list[int],
    scores: pd.Series,
    hits: RetrievalResult,
    queries: Collection,
    gallery: Collection,
    metric: str,
) -> list[GalleryRow]:
    """Rows to show: each query with its first matches.

    Args:
        query_ids: which queries.
        scores: their metric by id, for the caption.
        hits: what was found.
        queries: their photos.
        gallery: the searched photos.
        metric: name of the score.
    """
    rows = []
    places = {int(query): place for place, query in enumerate(hits.query_ids)}
    for query in query_ids:
        shown = queries[0].iloc[query]
        place = places[query]
        found = zip(hits.hits[place, :COLUMNS], hits.scores[place, :COLUMNS], strict=True)
        matches = [
            Match(
                _photo(gallery, int(hit)),
                bool(gallery[0]["Class"].iloc[hit] == shown["Class"]),
                float(similarity),
                _name(gallery[0].iloc[hit]),
            )
            for hit, similarity in found
            if hit >= 0
        ]
        caption = f"{_name(shown)} · {metric} {scores[query]:.2f}"
        rows.append(GalleryRow(_photo(queries, query), caption, matches))
    return rows


def _photo(collection: Collection, row: int) -> np.ndarray:
    photos, files = collection
    return decode(files[photos["Path"].iloc[row]], THUMBNAIL).pixels


def _name(photo: pd.Series) -> str:
    make, model = (photo.get(name) for name in ("MakeName", "ModelName"))
    if pd.isna(model):
        return f"class {photo['Class']}"
    named = pd.isna(make) or str(model).startswith(str(make))
    return str(model) if named else f"{make} {model}"
