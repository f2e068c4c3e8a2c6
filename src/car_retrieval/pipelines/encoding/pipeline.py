"""Wiring of the encoding pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.encoding import nodes

COLLECTIONS = ("gallery", "query")
PARAMS = "params:encoding"


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Describe gallery and queries, fit the whitening to training photos, and apply it."""
    return Pipeline(
        [
            *(_encode(collection) for collection in COLLECTIONS),
            Node(
                nodes.learn_whitening,
                inputs=["gallery_features", "split", PARAMS],
                outputs="whitening",
                name="learn_whitening",
            ),
            *(_whiten(collection) for collection in COLLECTIONS),
        ],
        tags="encoding",
        namespace="encoding",
        prefix_datasets_with_namespace=False,
    )


def _encode(collection: str) -> Node:
    return Node(
        nodes.encode_images,
        inputs=[f"{collection}_images", "model", "checkpoints", "split", PARAMS],
        outputs=f"{collection}_features",
        name=f"encode_{collection}",
    )


def _whiten(collection: str) -> Node:
    return Node(
        nodes.whiten,
        inputs=[f"{collection}_features", "whitening", PARAMS],
        outputs=f"{collection}_descriptors",
        name=f"whiten_{collection}",
    )
