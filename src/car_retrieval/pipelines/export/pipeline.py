"""Wiring of the export pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.export import card, nodes

TABLES = {
    "gallery_embeddings": ("gallery_descriptors", "gallery_photos"),
    "query_embeddings": ("query_descriptors", "query_photos"),
}
NETWORK = ["model", "checkpoints"]


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
                inputs=[
                    "gallery_descriptors",
                    "gallery_images",
                    *NETWORK,
                    "whitening",
                    "params:export",
                ],
                outputs="onnx_model",
                name="export_onnx",
            ),
            *tables,
            *_card(),
        ],
        tags="export",
        namespace="export",
        prefix_datasets_with_namespace=False,
    )


def _card() -> list[Node]:
    return [
        Node(
            card.tell_network,
            inputs=["gallery_descriptors", *NETWORK, "training_history"],
            outputs="network_facts",
            name="tell_network",
        ),
        Node(
            card.tell_data,
            inputs=[
                *("gallery_photos", "query_photos", "split", "training_roles"),
                *("data_report", "test_all_by_class"),
            ],
            outputs="data_facts",
            name="tell_data",
        ),
        Node(
            card.tell_scores,
            inputs=["summary", "searchers", "no_match_threshold", "params:evaluation"],
            outputs="score_facts",
            name="tell_scores",
        ),
        Node(
            card.write_model_card,
            inputs=["network_facts", "data_facts", "score_facts"],
            outputs="model_card",
            name="write_model_card",
        ),
    ]
