"""Datasets of each split: those of its queries, and of the gallery that they search.

Test queries search the gallery photos, or each other (`evaluation.search_in`).
"""

from collections.abc import Mapping

import pandas as pd
from kedro.pipeline import Node, Pipeline

from car_retrieval.gallery.enlarged import enlarged, enlarged_images
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.io.matrix import Matrix
from car_retrieval.params import EvaluationParams

PARAMS = "params:evaluation"
SPLITS, PROTOCOLS = ("test", "valid"), ("all", "filtered")
DESCRIPTORS = {
    "test": ("query_descriptors", "test_gallery_descriptors"),
    "valid": ("gallery_descriptors", "gallery_descriptors"),
}
"""Descriptors of queries and gallery."""
PHOTOS = {
    "test": ("query_photos", "surveillance_images", "test_gallery_photos", "test_gallery_files"),
    "valid": ("gallery_photos", "web_images", "gallery_photos", "web_images"),
}
"""Lists and files of queries and gallery."""
IMAGES = {
    "test": ("query_photos", "query_images", "test_gallery_photos", "test_gallery_images"),
    "valid": ("gallery_photos", "gallery_images", "gallery_photos", "gallery_images"),
}
"""Lists and packed images of queries and gallery."""


def labels(split: str, protocol: str) -> tuple[str, str]:
    """Names of the datasets with the classes of queries and gallery."""
    return f"{split}_{protocol}_query_labels", f"{split}_{protocol}_gallery_labels"


def choose_gallery(
    gallery_descriptors: Matrix,
    gallery_photos: pd.DataFrame,
    query_descriptors: Matrix,
    query_photos: pd.DataFrame,
    gallery_store: GalleryStore,
    params: EvaluationParams,
) -> tuple[Matrix, pd.DataFrame]:
    """Choose what test queries search by `search_in`: descriptors and list.

    The gallery has the changes that were made since the run.
    """
    if params.search_in == "queries":
        return query_descriptors, query_photos
    return enlarged(gallery_descriptors, gallery_photos, gallery_store)


def choose_gallery_files(
    gallery_files: Mapping[str, bytes],
    gallery_images: Matrix,
    gallery_descriptors: Matrix,
    gallery_photos: pd.DataFrame,
    gallery_store: GalleryStore,
    query_files: Mapping[str, bytes],
    query_images: Matrix,
    params: EvaluationParams,
) -> tuple[Mapping[str, bytes], Matrix]:
    """Choose the files and packed images of what test queries search."""
    if params.search_in == "queries":
        return query_files, query_images
    changed = gallery_descriptors, gallery_photos, gallery_store
    return gallery_files, enlarged_images(gallery_images, gallery_files, *changed)


def chosen_gallery() -> Pipeline:
    """Descriptors and list; several pipelines may hold this node, it runs once."""
    return Pipeline(
        [
            Node(
                choose_gallery,
                inputs=[
                    *("gallery_descriptors", "gallery_photos"),
                    *("query_descriptors", "query_photos", "gallery_store", PARAMS),
                ],
                outputs=["test_gallery_descriptors", "test_gallery_photos"],
                name="choose_gallery",
                tags="evaluation",
            )
        ]
    )


def chosen_gallery_files() -> Pipeline:
    """Files and packed images; several pipelines may hold this node, it runs once."""
    return Pipeline(
        [
            Node(
                choose_gallery_files,
                inputs=[
                    *("web_images", "gallery_images", "gallery_descriptors", "gallery_photos"),
                    "gallery_store",
                    *("surveillance_images", "query_images", PARAMS),
                ],
                outputs=["test_gallery_files", "test_gallery_images"],
                name="choose_gallery_files",
                tags="evaluation",
            )
        ]
    )
