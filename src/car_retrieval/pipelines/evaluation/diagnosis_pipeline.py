"""Wiring of what people look at to see what goes wrong."""

from kedro.pipeline import Node, Pipeline

from car_retrieval.data.protocols import labels_of
from car_retrieval.pipelines.evaluation import diagnosis, nodes

PARAMS = "params:evaluation"


def confusions_template() -> Pipeline:
    """Confusions of one split, over all classes: filtering takes the other class away."""
    return Pipeline(
        [
            Node(
                diagnosis.find_confusions,
                inputs=["hits", "query_labels", "gallery_labels", "gallery_photos"],
                outputs="confusions",
                name="find_confusions",
            ),
            Node(
                diagnosis.show_confusions,
                inputs=[
                    "confusions",
                    "hits",
                    "gallery_labels",
                    "query_photos",
                    "query_images",
                    "gallery_photos",
                    "gallery_images",
                    PARAMS,
                ],
                outputs="confusions_figure",
                name="show_confusions",
            ),
        ]
    )


def diagnosis_pipeline() -> Pipeline:
    """What both splits tell together."""
    labels = {
        split: [f"{split}_all_{side}_labels" for side in ("query", "gallery")]
        for split in ("valid", "test")
    }
    return Pipeline(
        [
            Node(
                diagnosis.score_attributes,
                inputs=[
                    *("valid_all_queries", "test_all_queries"),
                    *("car_front", "test_index", "test_gallery_photos", PARAMS),
                ],
                outputs=["attributes", "attributes_figure"],
                name="score_attributes",
            ),
            Node(
                diagnosis.map_descriptors,
                inputs=[
                    *("tdatabase", "test_gallery_descriptors", *labels["test"]),
                    *("test_gallery_photos", PARAMS),
                ],
                outputs=["descriptor_map", "descriptor_map_figure"],
                name="map_descriptors",
            ),
            Node(
                labels_of,
                inputs="car_front",
                outputs="valid_whole_gallery_labels",
                name="select_whole_gallery",
            ),
            Node(
                nodes.search,
                inputs=[
                    *("database", "database", "car_front", "car_front"),
                    *("valid_all_query_labels", "valid_whole_gallery_labels", PARAMS),
                ],
                outputs="valid_whole_exact_hits",
                name="search_whole_gallery",
            ),
            Node(
                diagnosis.calibrate_no_match,
                inputs=[
                    "valid_all_exact_hits",
                    *labels["valid"],
                    "test_all_exact_hits",
                    *labels["test"],
                    "valid_whole_exact_hits",
                    "valid_whole_gallery_labels",
                    "database",
                    PARAMS,
                ],
                outputs=["no_match_threshold", "open_set_figure"],
                name="calibrate_no_match",
            ),
        ]
    )
