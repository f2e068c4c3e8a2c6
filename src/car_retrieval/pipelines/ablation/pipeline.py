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
                    "gallery_images",
                    "split",
                    "query_images",
                    "query_photos",
                    "params:training",
                    "params:ablation",
                    "params:evaluation",
                ],
                outputs="recipes",
                name="plan_recipes",
            ),
            Node(
                nodes.make_evaluator,
                inputs=[
                    *("query_images", "query_photos", "gallery_images", "split"),
                    *("params:training", "params:evaluation"),
                ],
                outputs="evaluator",
                name="make_evaluator",
            ),
            Node(
                nodes.run_recipes,
                inputs=[
                    "recipes",
                    "previous_ablation_runs",
                    "gallery_images",
                    "split",
                    "valid_pairs",
                    "evaluator",
                    "params:ablation",
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
