"""Wiring of the evaluation pipeline."""

from itertools import product
from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.evaluation import compare, heat, nodes, report
from car_retrieval.pipelines.evaluation.diagnosis_pipeline import (
    confusions_template,
    diagnosis_pipeline,
)

PARAMS = "params:evaluation"
ENCODING = "params:encoding"
REPORTED = (
    *("summary", "training_curves", "training_history"),
    *("database", "searchers", "searchers_figure", "no_match_threshold"),
    *("attributes_figure", "descriptor_map_figure", "open_set_figure", "model", "checkpoints"),
)
SPLITS = {
    "test": {
        "queries": "tdatabase",
        "query_photos": "test_index",
        "query_images": "surveillance_images",
        "gallery": "test_gallery_descriptors",
        "gallery_photos": "test_gallery_photos",
        "gallery_images": "test_gallery_images",
    },
    "valid": {
        **{"queries": "database", "query_photos": "car_front", "query_images": "web_images"},
        **{"gallery": "database", "gallery_photos": "car_front", "gallery_images": "web_images"},
    },
}
RESULTS = {
    "hits": "exact_hits",
    "metrics": "exact_metrics",
    "by_query": "queries",
    "pairs": "pairs",
}
RESULTS |= {"by_class": "classes"} | {kind: f"{kind}_figure" for kind in report.CAPTIONS}
OF_ALL = {  # more of the protocol `all`
    "searchers": "searchers",
    "confusions": "all_confusions",
    "confusions_figure": "all_confusions_figure",
    "heat": "all_heat_figure",
}
PIXELS = {
    "test": {"query_pixels": "test_image", "gallery_pixels": "test_gallery_pixels"},
    "valid": {"query_pixels": "imageset", "gallery_pixels": "imageset"},
}
COMPARED = [
    "queries",
    "gallery",
    "query_photos",
    "gallery_photos",
    "query_labels",
    "gallery_labels",
]


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Evaluate each split under each protocol with one template, then report."""
    parts = list(product(SPLITS, ("all", "filtered")))
    return Pipeline(
        [
            _selection(),
            *(_evaluation(*part) for part in parts),
            _searchers(),
            diagnosis_pipeline(),
            _report(parts),
        ],
        tags="evaluation",
        namespace="evaluation",
        prefix_datasets_with_namespace=False,
    )


def _selection() -> Pipeline:
    filters = [
        Node(
            nodes.keep_large_classes,
            inputs=[
                f"{split}_all_query_labels",
                f"{split}_all_gallery_labels",
                SPLITS[split]["gallery_photos"],
                PARAMS,
            ],
            outputs=[f"{split}_filtered_query_labels", f"{split}_filtered_gallery_labels"],
            name=f"filter_{split}",
        )
        for split in SPLITS
    ]
    return Pipeline(
        [
            Node(
                nodes.choose_test_gallery,
                inputs=[
                    *("database", "car_front", "web_images", "imageset"),
                    *("tdatabase", "test_index", "surveillance_images", "test_image", PARAMS),
                ],
                outputs=[
                    f"test_gallery_{part}" for part in ("descriptors", "photos", "images", "pixels")
                ],
                name="choose_test_gallery",
            ),
            Node(
                nodes.select_valid,
                inputs=["split", "car_front"],
                outputs=["valid_all_query_labels", "valid_all_gallery_labels"],
                name="select_valid",
            ),
            Node(
                nodes.select_test,
                inputs=["test_set", "test_index", "test_gallery_photos", "split", PARAMS],
                outputs=["test_all_query_labels", "test_all_gallery_labels"],
                name="select_test",
            ),
            *filters,
        ]
    )


def _evaluation(split: str, protocol: str) -> Pipeline:
    name = f"{split}_{protocol}"
    labels = {side: f"{name}_{side}" for side in ("query_labels", "gallery_labels")}
    inputs = SPLITS[split] | labels | {"split": "split"}
    outputs = {inner: f"{name}_{outer}" for inner, outer in RESULTS.items()}
    template, parameters = _template(), {PARAMS: PARAMS}
    if protocol == "all":
        template += _comparison() + confusions_template() + _heat()
        inputs |= PIXELS[split] | {name: name for name in ("model", "checkpoints", "whitening")}
        outputs |= {inner: f"{split}_{outer}" for inner, outer in OF_ALL.items()}
        parameters |= {ENCODING: ENCODING}
    return Pipeline(template, namespace=name, inputs=inputs, outputs=outputs, parameters=parameters)


def _template() -> Pipeline:
    compared = [*COMPARED, PARAMS]
    return Pipeline(
        [
            Node(nodes.search, inputs=compared, outputs="hits", name="search"),
            Node(nodes.compare_pairs, inputs=compared, outputs="pairs", name="compare_pairs"),
            Node(
                nodes.score,
                inputs=[
                    *("hits", "pairs", "queries", "gallery"),
                    *("query_labels", "gallery_labels", "split", PARAMS),
                ],
                outputs=["by_query", "by_class", "metrics"],
                name="score",
            ),
            Node(
                nodes.draw_curves,
                inputs=["by_query", "by_class", "pairs"],
                outputs=["recall", "roc", "similarity", "sizes"],
                name="draw_curves",
            ),
            Node(
                nodes.show_queries,
                inputs=[
                    "by_query",
                    "hits",
                    "query_photos",
                    "query_images",
                    "gallery_photos",
                    "gallery_images",
                    PARAMS,
                ],
                outputs=["best", "median", "worst"],
                name="show_queries",
            ),
        ]
    )


def _comparison() -> Pipeline:
    """Searchers are timed over all classes only: the filtered ones would cost the same again."""
    return Pipeline(
        [
            Node(
                compare.compare_searchers,
                inputs=[*COMPARED, PARAMS],
                outputs="searchers",
                name="compare_searchers",
            )
        ]
    )


def _heat() -> Pipeline:
    return Pipeline(
        [
            Node(
                heat.show_heat,
                inputs=[
                    *("by_query", "hits", "queries", "query_photos", "query_pixels"),
                    *("gallery", "gallery_photos", "gallery_pixels"),
                    *("model", "checkpoints", "whitening", ENCODING, PARAMS),
                ],
                outputs="heat",
                name="show_heat",
            )
        ]
    )


def _searchers() -> Pipeline:
    return Pipeline(
        [
            Node(
                compare.join_searchers,
                inputs={split: f"{split}_searchers" for split in ("valid", "test")},
                outputs=["searchers", "searchers_figure"],
                name="join_searchers",
            ),
            Node(
                compare.index_gallery,
                inputs=["database", "car_front", PARAMS],
                outputs="lopq_index",
                name="index_gallery",
            ),
        ]
    )


def _report(parts: list[tuple[str, str]]) -> Pipeline:
    names = [f"{split}_{protocol}" for split, protocol in parts]
    drawn = [f"{name}_{kind}" for name in names for kind in report.CAPTIONS]
    drawn += [f"{split}_all_{kind}" for split in SPLITS for kind in ("confusions", "heat")]
    pictures = {name: f"{name}_figure" for name in drawn}
    return Pipeline(
        [
            Node(
                report.summarise_metrics,
                inputs={name: f"{name}_exact_metrics" for name in names},
                outputs="summary",
                name="summarise",
            ),
            Node(
                report.write_report,
                inputs={name: name for name in REPORTED}
                | {"encoding": ENCODING, "params": PARAMS}
                | pictures,
                outputs="report",
                name="write_report",
            ),
        ]
    )
