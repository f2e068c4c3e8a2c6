"""Check that descriptors come from the same encoder and photo lists."""

import pandas as pd

from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import Matrix


def check_descriptors(
    queries: Matrix, gallery: Matrix, query_photos: pd.DataFrame, gallery_photos: pd.DataFrame
) -> None:
    """Refuse descriptors of different encoders, or of other photos than those listed.

    Args:
        queries: float32 [n, D], with the attributes `encoder` and `photos`.
        gallery: float32 [m, D], the same.
        query_photos: n rows, Path and Hash.
        gallery_photos: m rows, Path and Hash.

    Raises:
        ValueError: they do not belong together.
    """
    encoders = [matrix.attributes.get("encoder") for matrix in (queries, gallery)]
    if encoders[0] != encoders[1]:
        raise ValueError(
            "queries and gallery were not encoded alike: encode both with one model "
            f"(`kedro run --pipelines=encoding`); {encoders[0]} against {encoders[1]}"
        )
    for matrix, photos in ((queries, query_photos), (gallery, gallery_photos)):
        if matrix.attributes.get("photos") != digest(photos):
            raise ValueError(
                f"{matrix.path.name} describes another list of photos than the present one: run "
                "the pipeline encoding again"
            )


def self_in_gallery(queries: Matrix, gallery: Matrix) -> bool:
    """Whether both sides are rows of one file, so that an equal id is the same photo."""
    return queries.path == gallery.path
