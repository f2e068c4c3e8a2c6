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
                inputs=["web_nature", "web_images", params],
                outputs=["car_front", "car_rear", "gallery_problems"],
                name="select_gallery",
            ),
            Node(
                nodes.select_queries,
                inputs=["surveillance_nature", "surveillance_images", params],
                outputs=["test_index", "test_set", "query_problems"],
                name="select_queries",
            ),
            Node(
                nodes.report_problems,
                inputs=[
                    *("car_front", "test_index", "gallery_problems", "query_problems"),
                    *(params, "params:evaluation"),
                ],
                outputs=["rejected_images", "data_report"],
                name="report_problems",
            ),
            Node(
                nodes.pack_images,
                inputs=["car_front", "web_images", params, "params:training"],
                outputs="imageset",
                name="pack_gallery",
            ),
            Node(
                nodes.pack_images,
                inputs=["test_index", "surveillance_images", params, "params:training"],
                outputs="test_image",
                name="pack_queries",
            ),
            Node(
                nodes.split_photos,
                inputs=["car_front", params],
                outputs=["split", "valid_for_test"],
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
