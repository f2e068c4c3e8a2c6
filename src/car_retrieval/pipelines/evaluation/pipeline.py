"""Wiring of the evaluation pipeline."""

from itertools import product
from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.evaluation import nodes
from car_retrieval.pipelines.splits import (
    DESCRIPTORS,
    PARAMS,
    PROTOCOLS,
    SPLITS,
    chosen_sides,
    labels,
)

PARTS = list(product(SPLITS, PROTOCOLS))


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Select queries and gallery, then search and score each split under each protocol."""
    own = Pipeline(
        [
            Node(
                nodes.select_valid,
                inputs=["split", "gallery_photos", PARAMS],
                outputs=[*labels("valid", "all"), *labels("valid", "filtered")],
                name="select_valid",
            ),
            Node(
                nodes.select_test,
                inputs=["query_photos", "test_gallery_photos", "split", "model", PARAMS],
                outputs=[
                    *(*labels("test", "all"), *labels("test", "filtered")),
                    "training_roles",
                ],
                name="select_test",
            ),
            *(node for part in PARTS for node in _search_and_score(*part)),
            Node(
                nodes.summarise,
                inputs={"training_roles": "training_roles", "split": "split"}
                | {"_".join(part): "_".join((*part, "metrics")) for part in PARTS},
                outputs="summary",
                name="summarise",
            ),
        ],
        tags="evaluation",
        namespace="evaluation",
        prefix_datasets_with_namespace=False,
    )
    return chosen_sides() + own


def _search_and_score(split: str, protocol: str) -> list[Node]:
    part = f"{split}_{protocol}"
    compared = [*DESCRIPTORS[split], *labels(split, protocol)]
    scores = ["pairs", "by_query", "by_class", "metrics"]
    return [
        Node(
            nodes.search,
            inputs=[*compared, PARAMS],
            outputs=f"{part}_hits",
            name="search",
            namespace=part,
        ),
        Node(
            nodes.score,
            inputs=[f"{part}_hits", *compared, "training_roles", PARAMS],
            outputs=[f"{part}_{name}" for name in scores],
            name="score",
            namespace=part,
        ),
    ]
