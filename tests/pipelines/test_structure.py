"""Pipelines that a person can take in at a glance."""

import pytest

from car_retrieval.pipeline_registry import register_pipelines

PIPELINES = register_pipelines()
STAGES = (
    *("data_processing", "training", "encoding"),
    *("evaluation", "searchers", "diagnosis", "reporting"),
)


@pytest.mark.parametrize("name", sorted(set(PIPELINES) - {"__default__"}))
def test_a_pipeline_fits_a_screen(name: str) -> None:
    nodes = PIPELINES[name].nodes
    assert len(nodes) <= 12
    assert max(len(node.inputs) for node in nodes) <= 8


def test_the_main_job_is_all_stages() -> None:
    main = set(PIPELINES["__default__"].nodes)
    assert main == set().union(*(PIPELINES[name].nodes for name in STAGES))


def test_the_main_job_needs_only_photos_and_parameters() -> None:
    inputs = PIPELINES["__default__"].inputs()
    assert {name for name in inputs if not name.startswith("params:")} == {
        "gallery_store",
        "web_nature",
        "web_images",
        "surveillance_nature",
        "surveillance_images",
        "previous_checkpoints",
        "previous_split",
    }
