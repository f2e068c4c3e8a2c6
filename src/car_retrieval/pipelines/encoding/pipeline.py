"""Wiring of the encoding pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.encoding import nodes

COLLECTIONS = {
    "gallery": ("imageset", "car_front", "database"),
    "queries": ("test_image", "test_index", "tdatabase"),
}


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Fit the whitening, then encode the gallery and the queries with one template."""
    whitening = Pipeline(
        [
            Node(
                nodes.learn_whitening,
                inputs=["imageset", "split", "model", "checkpoints", "params:encoding"],
                outputs="whitening",
                name="learn_whitening",
            )
        ]
    )
    template = Pipeline(
        [
            Node(
                nodes.encode_images,
                inputs=[
                    "images",
                    "photos",
                    "model",
                    "checkpoints",
                    "whitening",
                    "params:encoding",
                ],
                outputs="descriptors",
                name="encode",
            )
        ]
    )
    return Pipeline(
        [
            whitening,
            *(
                Pipeline(
                    template,
                    namespace=collection,
                    inputs={
                        "images": images,
                        "photos": photos,
                        "model": "model",
                        "checkpoints": "checkpoints",
                        "whitening": "whitening",
                    },
                    outputs={"descriptors": descriptors},
                    parameters={"params:encoding": "params:encoding"},
                )
                for collection, (images, photos, descriptors) in COLLECTIONS.items()
            ),
        ],
        tags="encoding",
        namespace="encoding",
        prefix_datasets_with_namespace=False,
    )
