"""Wiring of the training pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.training import nodes


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Train, report, choose the best epoch."""
    return Pipeline(
        [
            Node(
                nodes.train,
                inputs=[
                    "gallery_images",
                    "split",
                    "valid_pairs",
                    "previous_checkpoints",
                    "params:training",
                ],
                outputs="checkpoints",
                name="train",
            ),
            Node(
                nodes.report_training,
                inputs=["checkpoints", "params:training"],
                outputs=["training_history", "training_curves"],
                name="report_training",
            ),
            Node(
                nodes.choose_best,
                inputs=["checkpoints", "training_history", "params:training"],
                outputs="model",
                name="choose_best",
            ),
        ],
        tags="training",
        namespace="training",
        prefix_datasets_with_namespace=False,
    )
