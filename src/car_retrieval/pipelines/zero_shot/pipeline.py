"""Wiring of the zero_shot pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines import data_processing, encoding
from car_retrieval.pipelines.zero_shot import nodes


def create_pipeline(**kwargs: Any) -> Pipeline:
    """List, pack and encode photos, with or without classes, with the network as it is."""
    listed = data_processing.create_pipeline()
    listed = listed - listed.only_nodes("data_processing.make_valid_pairs")
    network = Pipeline(
        [
            Node(
                nodes.take_network,
                inputs=["gallery_images", "split", "params:training"],
                outputs=["checkpoints", "model", "training_history", "training_curves"],
                name="take_network",
                tags="training",
            ),
        ],
        namespace="zero_shot",
        prefix_datasets_with_namespace=False,
    )
    return listed + network + encoding.create_pipeline()
