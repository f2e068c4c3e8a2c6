"""Wiring of the sample_data pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.sample_data.nodes import draw_sample


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Draw the sample."""
    return Pipeline(
        [Node(draw_sample, inputs="params:sample_data", outputs="sample", name="draw_sample")],
        tags="sample_data",
    )
