"""Wiring of the diagnosis pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.diagnosis import heat, nodes
from car_retrieval.pipelines.splits import (
    DESCRIPTORS,
    IMAGES,
    PARAMS,
    PHOTOS,
    SPLITS,
    chosen_files,
    chosen_sides,
    labels,
)

VALID_LABELS, TEST_LABELS = labels("valid", "all"), labels("test", "all")


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Show what goes wrong, over all classes, and measure the no-match threshold."""
    own = Pipeline(
        [
            *(
                Node(  # over all classes: filtering takes the other class away
                    nodes.find_confusions,
                    inputs=[f"{split}_all_hits", *labels(split, "all"), *PHOTOS[split], PARAMS],
                    outputs=[f"{split}_confusions", f"{split}_confusions_figure"],
                    name="find_confusions",
                    namespace=split,
                )
                for split in SPLITS
            ),
            Node(
                nodes.score_attributes,
                inputs=[
                    *("valid_all_by_query", "test_all_by_query", "gallery_photos"),
                    *("test_query_photos", "test_gallery_photos", PARAMS),
                ],
                outputs=["attributes", "attributes_figure"],
                name="score_attributes",
            ),
            Node(
                nodes.map_descriptors,
                inputs=[
                    *(*DESCRIPTORS["test"], *TEST_LABELS),
                    *("test_gallery_photos", PARAMS),
                ],
                outputs=["descriptor_map", "descriptor_map_figure"],
                name="map_descriptors",
            ),
            *_heat_maps(),
            *_no_match(),
        ],
        tags="diagnosis",
        namespace="diagnosis",
        prefix_datasets_with_namespace=False,
    )
    return chosen_sides() + chosen_files() + own


def _heat_maps() -> list[Node]:
    encoder = Node(
        heat.load_encoder,
        inputs=[
            *("gallery_descriptors", "model", "checkpoints"),
            *("whitening", "params:encoding"),
        ],
        outputs="encoder",
        name="load_encoder",
    )
    drawn = [
        Node(
            heat.draw_heat_maps,
            inputs=[
                *(f"{split}_all_by_query", f"{split}_all_hits"),
                *(*IMAGES[split], "encoder", PARAMS),
            ],
            outputs=f"{split}_heat_figure",
            name="draw_heat_maps",
            namespace=split,
        )
        for split in SPLITS
    ]
    return [encoder, *drawn]


def _no_match() -> list[Node]:
    return [
        Node(
            nodes.find_valid_open_set,
            inputs=[
                *("valid_all_hits", *VALID_LABELS),
                *("gallery_descriptors", "gallery_photos", PARAMS),
            ],
            outputs="valid_open_set",
            name="find_valid_open_set",
        ),
        Node(
            nodes.find_test_open_set,
            inputs=["test_all_hits", *TEST_LABELS, *DESCRIPTORS["test"]],
            outputs="test_open_set",
            name="find_test_open_set",
        ),
        Node(
            nodes.calibrate_no_match,
            inputs=[
                *("valid_open_set", "test_open_set", *VALID_LABELS),
                *("gallery_descriptors", PARAMS),
            ],
            outputs=["no_match_threshold", "open_set_figure"],
            name="calibrate_no_match",
        ),
    ]
