"""Wiring of the reporting pipeline."""

from itertools import product
from typing import Any

from kedro.pipeline import Node, Pipeline

from car_retrieval.pipelines.reporting import figures, sections
from car_retrieval.pipelines.splits import (
    PARAMS,
    PHOTOS,
    PROTOCOLS,
    SPLITS,
    chosen_files,
    chosen_sides,
)

PARTS = list(product(SPLITS, PROTOCOLS))


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Draw the figures of each split and protocol, then write the report."""
    own = Pipeline(
        [
            *(_figures(*part) for part in PARTS),
            *_report(),
        ],
        tags="reporting",
        namespace="reporting",
        prefix_datasets_with_namespace=False,
    )
    return chosen_sides() + chosen_files() + own


def _figures(split: str, protocol: str) -> Node:
    part = f"{split}_{protocol}"
    scored = [f"{part}_{name}" for name in ("by_query", "pairs", "hits")]
    return Node(
        figures.draw_figures,
        inputs=[*scored, *PHOTOS[split], PARAMS],
        outputs=f"{part}_figures",
        name="draw_figures",
        namespace=part,
    )


def _report() -> list[Node]:
    return [
        Node(
            sections.write_results,
            inputs=[
                *("summary", *(f"{split}_{protocol}_figures" for split, protocol in PARTS)),
                *("test_heat_figure", "valid_heat_figure", PARAMS),
            ],
            outputs="results_sections",
            name="write_results",
        ),
        Node(
            sections.write_diagnosis,
            inputs=[
                *("no_match_threshold", "gallery_descriptors"),
                *("test_confusions_figure", "valid_confusions_figure", "attributes_figure"),
                *("descriptor_map_figure", "open_set_figure", PARAMS),
            ],
            outputs="diagnosis_sections",
            name="write_diagnosis",
        ),
        Node(
            sections.write_run,
            inputs=[
                *("searchers", "searchers_figure", "training_history", "training_curves"),
                *("gallery_descriptors", "model", "checkpoints", PARAMS),
            ],
            outputs="run_sections",
            name="write_run",
        ),
        Node(
            sections.write_report,
            inputs=[
                *("summary", "results_sections", "run_sections", "diagnosis_sections"),
                *("training_history", "gallery_descriptors", "rejected_images", PARAMS),
            ],
            outputs="report",
            name="write_report",
        ),
    ]
