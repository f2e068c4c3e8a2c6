"""Wiring of the encoding pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.encoding import nodes

COLLECTIONS = {"gallery": ("imageset", "database"), "queries": ("test_image", "tdatabase")}


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Encode the gallery and the queries with one template."""
    template = Pipeline(
        [
            Node(
                nodes.encode_images,
                inputs=["images", "encoder", "params:encoding"],
                outputs="descriptors",
                name="encode",
            )
        ]
    )
    choice = Node(
        nodes.choose_encoder,
        inputs=["model", "checkpoints", "params:encoding"],
        outputs="encoder",
        name="choose_encoder",
    )
    return Pipeline(
        [
            choice,
            *(
                Pipeline(
                    template,
                    namespace=collection,
                    inputs={"images": images, "encoder": "encoder"},
                    outputs={"descriptors": descriptors},
                    parameters={"params:encoding": "params:encoding"},
                )
                for collection, (images, descriptors) in COLLECTIONS.items()
            ),
        ],
        tags="encoding",
    )
