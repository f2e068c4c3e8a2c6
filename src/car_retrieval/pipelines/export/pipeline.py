"""Wiring of the export pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.export import card, nodes

TABLES = {
    "gallery_embeddings": ("database", "car_front"),
    "query_embeddings": ("tdatabase", "test_index"),
}
NETWORK = ["model", "checkpoints"]
TOLD = {
    name: name
    for name in (
        *(
            "database",
            "car_front",
            "test_index",
            "split",
            "data_report",
            *NETWORK,
            "training_history",
        ),
        *("summary", "searchers", "no_match_threshold"),
    )
}


def create_pipeline(**kwargs: Any) -> Pipeline:
    """The network, the descriptors and the card, each from the results alone."""
    tables = [
        Node(nodes.tabulate, inputs=list(inputs), outputs=table, name=f"write_{table}")
        for table, inputs in TABLES.items()
    ]
    return Pipeline(
        [
            Node(
                nodes.export_onnx,
                inputs=["database", "imageset", *NETWORK, "whitening", "params:export"],
                outputs="onnx_model",
                name="export_onnx",
            ),
            *tables,
            Node(
                card.write_model_card,
                inputs=TOLD | {"by_class": "test_all_classes", "evaluation": "params:evaluation"},
                outputs="model_card",
                name="write_model_card",
            ),
        ],
        tags="export",
        namespace="export",
        prefix_datasets_with_namespace=False,
    )
