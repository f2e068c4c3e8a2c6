"""Wiring of the data_processing pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.data_processing import nodes


def create_pipeline(**kwargs: Any) -> Pipeline:
    """List, check, pack and split the photos."""
    params = "params:data_processing"
    return Pipeline(
        [
            Node(
                nodes.select_gallery,
                inputs=["web_nature", "web_images", "gallery_store", params],
                outputs=["gallery_photos", "rear_photos", "gallery_problems"],
                name="select_gallery",
            ),
            Node(
                nodes.select_queries,
                inputs=["surveillance_nature", "surveillance_images", params],
                outputs=["query_photos", "query_problems"],
                name="select_queries",
            ),
            Node(
                nodes.report_problems,
                inputs=[
                    *("gallery_photos", "query_photos", "gallery_problems", "query_problems"),
                    *(params, "params:evaluation"),
                ],
                outputs=["rejected_images", "data_report"],
                name="report_problems",
            ),
            Node(
                nodes.pack_images,
                inputs=["gallery_photos", "web_images", params, "params:training"],
                outputs="gallery_images",
                name="pack_gallery",
            ),
            Node(
                nodes.pack_images,
                inputs=["query_photos", "surveillance_images", params, "params:training"],
                outputs="query_images",
                name="pack_queries",
            ),
            Node(
                nodes.split_photos,
                inputs=["gallery_photos", "query_photos", "previous_split", params],
                outputs="split",
                name="split_photos",
            ),
            Node(
                nodes.make_valid_pairs,
                inputs=["split", params],
                outputs="valid_pairs",
                name="make_valid_pairs",
            ),
        ],
        tags="data_processing",
        namespace="data_processing",
        prefix_datasets_with_namespace=False,
    )
