"""Wiring of the zero_shot pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines import data_processing, encoding
from car_retrieval.pipelines.zero_shot import nodes


def create_pipeline(**kwargs: Any) -> Pipeline:
    """List, pack and encode the gallery with the network as it is; no split, and no scores."""
    listed = data_processing.create_pipeline().only_nodes(
        "data_processing.select_gallery", "data_processing.pack_gallery"
    )
    encoded = Pipeline(
        encoding.create_pipeline().only_nodes(
            *("encoding.encode_gallery", "encoding.learn_whitening", "encoding.whiten_gallery")
        ),
        inputs={"split": "zero_shot_split"},
    )
    own = Pipeline(
        [
            Node(
                nodes.report_gallery,
                inputs=["gallery_photos", "gallery_problems"],
                outputs=["rejected_images", "data_report"],
                name="report_gallery",
                tags="data_processing",
            ),
            Node(
                nodes.take_network,
                inputs=["gallery_images", "gallery_photos", "params:training"],
                outputs=["checkpoints", "model"],
                name="take_network",
                tags="training",
            ),
            Node(
                nodes.train_on_all,
                inputs="gallery_photos",
                outputs="zero_shot_split",
                name="train_on_all",
                tags="encoding",
            ),
        ],
        namespace="zero_shot",
        prefix_datasets_with_namespace=False,
    )
    return listed + own + encoded
