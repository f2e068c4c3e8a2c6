"""Kedro-Viz as a page: the diagram is in layers, and results show themselves."""

import json
from pathlib import Path
from typing import Any

import pytest

from car_retrieval.pipeline_registry import register_pipelines
from tests.conftest import kedro

LAYERS = [
    *("1 raw", "2 intermediate", "3 primary", "4 models", "5 feature", "6 model output"),
    "7 reporting",
]
WITHOUT_PREVIEW = {
    "web_nature",  # a walk through all photos; gallery_photos shows what comes of it
    "surveillance_nature",
    "gallery_store",  # changes of a gallery; gallery_photos shows what comes of them
    "report",  # Kedro-Viz would show it without its styles
    # Passed on in memory.
    *(f"test_gallery_{part}" for part in ("descriptors", "photos", "files", "images")),
    *(f"test_query_{part}" for part in ("descriptors", "photos", "files", "images")),
    *("encoder", "valid_open_set", "test_open_set"),
    *("results_sections", "run_sections", "diagnosis_sections"),
}


@pytest.fixture(scope="module")
def api(finished_run: Path) -> Path:
    """What the page loads."""
    built = kedro(finished_run, "viz", "build", "--include-previews")
    assert built.returncode == 0, built.stdout + built.stderr
    return finished_run / "build" / "api"


def read(file: Path) -> Any:
    return json.loads(file.read_text())


@pytest.mark.parametrize("pipeline", register_pipelines())
def test_the_layers_are_those_of_the_story_in_its_order(api: Path, pipeline: str) -> None:
    about = read(api / "pipelines" / pipeline)
    assert sorted(about["layers"]) == LAYERS
    if pipeline != "zero_shot":  # whose report does not depend on the descriptors
        shown = {node.get("layer") for node in about["nodes"]} - {None}
        assert [layer for layer in about["layers"] if layer in shown] == sorted(shown)


def test_every_result_shows_itself(api: Path) -> None:
    nodes = read(api / "pipelines" / "__default__")["nodes"]
    data = {node["name"]: node["id"] for node in nodes if node["type"] == "data"}
    assert len(data) > 80
    without = {name for name, id_ in data.items() if not read(api / "nodes" / id_).get("preview")}
    assert without == WITHOUT_PREVIEW
