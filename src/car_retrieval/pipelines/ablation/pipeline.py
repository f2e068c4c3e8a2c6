"""Wiring of the ablation."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.ablation import nodes


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Plan, train by each recipe, compare."""
    return Pipeline(
        [
            Node(
                nodes.plan_recipes,
                inputs=[
                    "imageset",
                    "split",
                    "test_image",
                    "test_index",
                    "params:training",
                    "params:ablation",
                    "params:evaluation",
                ],
                outputs="recipes",
                name="plan_recipes",
            ),
            Node(
                nodes.run_recipes,
                inputs=[
                    "recipes",
                    "previous_ablation_runs",
                    "imageset",
                    "split",
                    "valid_pairs",
                    "test_image",
                    "test_index",
                    "params:ablation",
                    "params:evaluation",
                ],
                outputs="ablation_runs",
                name="run_recipes",
            ),
            Node(
                nodes.tabulate,
                inputs=["recipes", "ablation_runs", "params:ablation"],
                outputs=["ablation_table", "ablation_curves", "ablation_scores"],
                name="tabulate",
            ),
        ],
        tags="ablation",
        namespace="ablation",
        prefix_datasets_with_namespace=False,
    )
