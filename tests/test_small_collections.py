"""Small collections, and one that grows, from a folder to the report."""

from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import command, make_project, params
from tests.folders import put

REPORT = "--pipelines=evaluation,searchers,diagnosis,reporting"
ENV = "--env=independent"


def newest(project: Path, name: str, layer: str = "08_reporting") -> Path:
    return max((project / "data" / layer / "independent" / name).glob(f"*/{name}"))


def run(project: Path, *arguments: str) -> str:
    result = command(project, *arguments)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A project that trained on 24 photos of 3 classes and then described as many new ones."""
    project = make_project(tmp_path_factory.mktemp("small"))
    for seed, name in enumerate("abc"):
        put(project / "cars", *(f"{name}/{number}.jpg" for number in range(8)), seed=seed)
    run(project, "index-folder", str(project / "cars"))
    quick = params(training__images_per_epoch=24)
    run(project, "run", ENV, quick)
    first = newest(project, "summary.csv")
    for seed, name in enumerate("abc", 3):
        put(project / "cars", *(f"{name}/new {number}.jpg" for number in range(8)), seed=seed)
    said = run(project, "index-folder", str(project / "cars"))
    assert "24 photos stay, 24 are new" in said
    parts = "--pipelines=data_processing,encoding,evaluation"
    assert "24 photos that are searched are new" in run(project, "run", ENV, parts, quick)
    return project, first


def test_few_photos_end_with_scores(grown: tuple[Path, Path]) -> None:
    scores = pd.read_csv(grown[1]).set_index(["split", "protocol"])
    assert scores.loc[("test", "all"), "queries"] == 3
    assert scores.loc[("valid", "all"), "queries"] == 3
    assert scores["mAP@20"].between(0, 1).all()


def test_no_photo_changes_its_side(grown: tuple[Path, Path]) -> None:
    project, _ = grown
    files = (project / "data" / "03_primary" / "independent" / "split.csv").glob("*/split.csv")
    first, second = (pd.read_csv(file).set_index("Hash")["split"] for file in sorted(files))
    assert (second.loc[first.index] == first).all()
    roles = pd.read_csv(newest(project, "training_roles.csv", "07_model_output"))
    counts = roles[roles["Collection"] == "gallery"]["Role"].value_counts()
    assert counts.to_dict() == {"new": 24, "train": 18, "other": 3}


def test_a_split_drawn_anew_is_not_scored(grown: tuple[Path, Path]) -> None:
    project, _ = grown
    anew = "--params=data_processing.valid_ratio=2"
    nodes = "data_processing.split_photos,data_processing.make_valid_pairs"
    run(project, "run", ENV, f"--nodes={nodes}", anew)
    result = command(project, "run", ENV, "--pipelines=evaluation")
    assert result.exit_code == 1
    assert "the network was trained on" in result.output
    marked = run(project, "run", ENV, "--pipelines=evaluation", f"{MARK}=mark")
    assert "whose scores flatter" in marked


MARK = "--params=evaluation.trained_queries"


@pytest.mark.parametrize(
    ("paths", "refused", "said"),
    [
        (
            [f"only/{number}.jpg" for number in range(4)],
            "one class only",
            "of one class, so that any of them is right",
        ),
        (
            [f"{number}/1.jpg" for number in range(4)],
            "no photo would validate",
            "no query has a photo of its class to find",
        ),
    ],
)
def test_what_cannot_be_trained_can_be_shown(
    project: Path, paths: list[str], refused: str, said: str
) -> None:
    put(project / "cars", *paths)
    run(project, "index-folder", str(project / "cars"))
    result = command(project, "run", ENV, params())
    assert result.exit_code == 1
    assert refused in result.output.splitlines()[-1]
    run(project, "run", ENV, "--pipelines=zero_shot", params())
    assert f"test is not scored: {said}" in run(project, "run", ENV, REPORT, params()).replace(
        "the photos that are searched are ", ""
    )
    assert "most similar photos" in newest(project, "report.html").read_text()
