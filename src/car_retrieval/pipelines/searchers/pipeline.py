"""Wiring of the searchers pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.searchers import nodes
from car_retrieval.pipelines.splits import DESCRIPTORS, PARAMS, chosen_sides, labels


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Compare the searchers on the test queries, over all classes, and index the gallery."""
    own = Pipeline(
        [
            Node(
                nodes.compare_searchers,
                inputs=[
                    *DESCRIPTORS["test"],
                    *labels("test", "all"),
                    "gallery_descriptors",
                    PARAMS,
                ],
                outputs=["searchers", "searchers_figure", "lopq_index"],
                name="compare_searchers",
            ),
        ],
        tags="searchers",
        namespace="searchers",
        prefix_datasets_with_namespace=False,
    )
    return chosen_sides() + own
