"""Wiring of the searchers pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.searchers import nodes
from car_retrieval.pipelines.splits import DESCRIPTORS, PARAMS, SPLITS, chosen_gallery, labels


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Compare the searchers on each split, over all classes, and index the gallery."""
    own = Pipeline(
        [
            *(
                Node(
                    nodes.compare_searchers,
                    inputs=[*DESCRIPTORS[split], *labels(split, "all"), PARAMS],
                    outputs=f"{split}_searchers",
                    name="compare_searchers",
                    namespace=split,
                )
                for split in SPLITS
            ),
            Node(
                nodes.join_searchers,
                inputs={split: f"{split}_searchers" for split in SPLITS},
                outputs=["searchers", "searchers_figure"],
                name="join_searchers",
            ),
            Node(
                nodes.index_gallery,
                inputs=["gallery_descriptors", PARAMS],
                outputs="lopq_index",
                name="index_gallery",
            ),
        ],
        tags="searchers",
        namespace="searchers",
        prefix_datasets_with_namespace=False,
    )
    return chosen_gallery() + own
