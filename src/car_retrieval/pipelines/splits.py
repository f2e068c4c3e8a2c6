"""Datasets of each split: those of its queries, and of the gallery that they search.

Test queries search the gallery photos, or each other (`evaluation.search_in`). Without
query photos, gallery photos search each other.
"""

import logging
from collections.abc import Mapping

import pandas as pd
from kedro.pipeline import Node, Pipeline

from car_retrieval.gallery.enlarged import enlarged, enlarged_images
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.io.matrix import Matrix
from car_retrieval.params import EvaluationParams

log = logging.getLogger(__name__)

PARAMS = "params:evaluation"
SPLITS, PROTOCOLS = ("test", "valid"), ("all", "filtered")
DESCRIPTORS = {
    "test": ("test_query_descriptors", "test_gallery_descriptors"),
    "valid": ("gallery_descriptors", "gallery_descriptors"),
}
"""Descriptors of queries and gallery."""
PHOTOS = {
    "test": (
        *("test_query_photos", "test_query_files"),
        *("test_gallery_photos", "test_gallery_files"),
    ),
    "valid": ("gallery_photos", "web_images", "gallery_photos", "web_images"),
}
"""Lists and files of queries and gallery."""
IMAGES = {
    "test": (
        *("test_query_photos", "test_query_images"),
        *("test_gallery_photos", "test_gallery_images"),
    ),
    "valid": ("gallery_photos", "gallery_images", "gallery_photos", "gallery_images"),
}
"""Lists and packed images of queries and gallery."""


def labels(split: str, protocol: str) -> tuple[str, str]:
    """Names of the datasets with the classes of queries and gallery."""
    return f"{split}_{protocol}_query_labels", f"{split}_{protocol}_gallery_labels"


def choose_sides(
    gallery_descriptors: Matrix,
    gallery_photos: pd.DataFrame,
    query_descriptors: Matrix,
    query_photos: pd.DataFrame,
    gallery_store: GalleryStore,
    params: EvaluationParams,
) -> tuple[Matrix, pd.DataFrame, Matrix, pd.DataFrame]:
    """Choose test queries, and what they search by `search_in`: descriptors and lists.

    The gallery has the changes that were made since the run.
    """
    queries = query_descriptors, query_photos
    if params.search_in == "queries" and len(query_photos):
        return *queries, *queries
    gallery = enlarged(gallery_descriptors, gallery_photos, gallery_store)
    _warn_of_queries(query_photos, gallery_photos, gallery[1])
    return *(queries if len(query_photos) else gallery), *gallery


def _warn_of_queries(queries: pd.DataFrame, listed: pd.DataFrame, gallery: pd.DataFrame) -> None:
    """Warn of query photos that joined the gallery since the run; those of the run are reported."""
    if gallery is listed or queries.empty:
        return
    new = gallery.loc[~gallery["Hash"].isin(listed["Hash"]), "Hash"]
    if count := int(queries["Hash"].isin(new).sum()):
        log.warning(
            "%d of %d query photos were added to the gallery since the run and find themselves, "
            "which inflates the scores: kedro gallery remove takes them out",
            *(count, len(queries)),
        )


def choose_files(
    gallery_files: Mapping[str, bytes],
    gallery_images: Matrix,
    gallery_photos: pd.DataFrame,
    test_gallery_photos: pd.DataFrame,
    query_files: Mapping[str, bytes],
    query_images: Matrix,
    params: EvaluationParams,
) -> tuple[Mapping[str, bytes], Matrix, Mapping[str, bytes], Matrix]:
    """Choose the files and packed images of test queries and of what they search."""
    queries = query_files, query_images
    if params.search_in == "queries" and len(query_images):
        return *queries, *queries
    tables = gallery_photos, gallery_files, test_gallery_photos
    gallery = gallery_files, enlarged_images(gallery_images, *tables)
    return *(queries if len(query_images) else gallery), *gallery


def chosen_sides() -> Pipeline:
    """Descriptors and lists; several pipelines may hold this node, it runs once."""
    return Pipeline(
        [
            Node(
                choose_sides,
                inputs=[
                    *("gallery_descriptors", "gallery_photos"),
                    *("query_descriptors", "query_photos", "gallery_store", PARAMS),
                ],
                outputs=[
                    *("test_query_descriptors", "test_query_photos"),
                    *("test_gallery_descriptors", "test_gallery_photos"),
                ],
                name="choose_sides",
                tags="evaluation",
            )
        ]
    )


def chosen_files() -> Pipeline:
    """Files and packed images; several pipelines may hold this node, it runs once."""
    return Pipeline(
        [
            Node(
                choose_files,
                inputs=[
                    *("web_images", "gallery_images", "gallery_photos", "test_gallery_photos"),
                    *("surveillance_images", "query_images", PARAMS),
                ],
                outputs=[
                    *("test_query_files", "test_query_images"),
                    *("test_gallery_files", "test_gallery_images"),
                ],
                name="choose_files",
                tags="evaluation",
            )
        ]
    )
