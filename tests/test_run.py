"""The whole job, as its users run it."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from car_retrieval.io.matrix import Matrix
from tests.conftest import command, kedro, params

OUTPUTS = {
    "02_intermediate": ["car_front.csv", "car_rear.csv", "tindexinfo.csv"],
    "03_primary": ["imageset.npy", "test_image.npy", "split.csv", "valid.npy"],
    "04_feature": ["gallery_features.npy", "query_features.npy", "database.npy", "tdatabase.npy"],
    "06_models": [
        "checkpoints",
        "model.safetensors",
        "whitening.safetensors",
        "lopq_index.safetensors",
        "no_match_threshold.json",
    ],
    "07_model_output": ["test_all_exact_hits.npz", "valid_filtered_exact_hits.npz"],
    "08_reporting": [
        "rejected_images.csv",
        "data_report.json",
        "training_history.csv",
        "training_curves.png",
        "test_all_queries.csv",
        "test_filtered_classes.csv",
        "test_all_figures",
        "valid_filtered_figures",
        "valid_heat.png",
        "test_all_confusions.csv",
        "valid_confusions.png",
        "attributes.csv",
        "attributes.png",
        "descriptor_map.csv",
        "descriptor_map.png",
        "open_set.png",
        "searchers.csv",
        "searchers.png",
        "summary.csv",
        "report.html",
    ],
}


def versions(project: Path, name: str, layer: str, collection: str = "sample") -> list[Path]:
    return sorted((project / "data" / layer / collection / name).glob(f"*/{name}"))


def newest(project: Path, name: str, layer: str, collection: str = "sample") -> Path:
    return versions(project, name, layer, collection)[-1]


def test_every_output_is_written_under_one_version(finished_run: Path) -> None:
    found = [
        newest(finished_run, name, layer) for layer, names in OUTPUTS.items() for name in names
    ]
    assert len({path.parent.name for path in found}) == 1


def test_matrices_lie_as_the_reference_system_had_them(finished_run: Path) -> None:
    images = np.load(newest(finished_run, "imageset.npy", "03_primary"), mmap_mode="r")
    front = pd.read_csv(newest(finished_run, "car_front.csv", "02_intermediate"))
    assert images.dtype == np.uint8
    assert images.shape == (len(front), 3, 32, 32)
    assert front["Index"].tolist() == list(range(len(front)))
    database = np.load(newest(finished_run, "database.npy", "04_feature"))
    assert database.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(database, axis=1), 1, atol=1e-5)


def test_the_sample_oddities_are_counted(finished_run: Path) -> None:
    report = json.loads(newest(finished_run, "data_report.json", "08_reporting").read_text())
    problems = report["gallery"]["problems"]
    assert problems["box under 16 px on a side"] >= 1
    assert problems["same photo under several classes"] == 2
    assert problems["year unknown or impossible"] >= 2
    assert any("truncated" in problem or "decode" in problem for problem in problems), problems
    assert report["queries"]["photos without a class in the gallery"] == 8


def test_the_table_at_the_end(first_run: tuple[Path, str]) -> None:
    printed = first_run[1]
    for row in ("queries", "classes", "gallery", "mAP@20", "R@1", "R@5", "R@20", "MAP@R", "EER"):
        assert re.search(rf"│ {row} +│", printed), (row, printed)
    stages = ("data_processing", "training", "encoding", "evaluation", "searchers")
    for stage in (*stages, "diagnosis", "reporting", "peak memory"):
        assert stage in printed
    for searcher in ("exact", "lopq", "ivfpq", "hnsw", "rabitq"):
        assert re.search(rf"(?m)^ {searcher} +[01]\.", printed), (searcher, printed)
    assert "report: data/08_reporting/sample/report.html/" in printed
    assert "…" not in printed


def test_the_table_of_searchers(finished_run: Path) -> None:
    table = pd.read_csv(newest(finished_run, "searchers.csv", "08_reporting"))
    own = table.set_index("searcher")
    assert list(own.index) == ["exact", "lopq", "ivfpq", "hnsw", "rabitq"]
    summary = pd.read_csv(newest(finished_run, "summary.csv", "08_reporting"))
    exact = summary.set_index(["split", "protocol"]).loc[("test", "all")]
    assert own.loc["exact", "recall@20"] == 1
    for score in ("mAP@20", "R@1"):
        assert own.loc["exact", score] == pytest.approx(exact[score])
    assert (own["recall@20"] > 0.5).all()
    assert (own["single q/s 1 thread"] > 0).all()
    assert (own.drop("exact")["fit s"] >= 0).all()


def test_the_threshold_refuses_photos_whose_class_is_taken_away(finished_run: Path) -> None:
    stored = json.loads(newest(finished_run, "no_match_threshold.json", "06_models").read_text())
    database = Matrix(newest(finished_run, "database.npy", "04_feature"))
    assert stored["encoder"] == database.attributes["encoder"]
    split = pd.read_csv(newest(finished_run, "split.csv", "03_primary"))
    valid = split[split["split"] == "valid"]
    products = database[valid["Index"].to_numpy()] @ database[split["Index"].to_numpy()].T
    same = valid["Class"].to_numpy()[:, None] == split["Class"].to_numpy()
    others = np.where(same, -1, products).max(axis=1)
    measured, threshold = stored["splits"]["valid"]["FPIR"], stored["threshold"]
    above, reached = ((others >= threshold + shift).mean() for shift in (1e-5, -1e-5))
    assert above <= measured <= reached  # a plain product rounds otherwise
    assert 0 < measured <= stored["false_match_rate"] < reached
    assert stored["splits"]["test"]["unknown"] == 8


def test_attributes_and_confusions_agree_with_the_scores(finished_run: Path) -> None:
    summary = pd.read_csv(newest(finished_run, "summary.csv", "08_reporting"))
    scores = summary.set_index(["split", "protocol"]).xs("all", level="protocol")
    table = pd.read_csv(newest(finished_run, "attributes.csv", "08_reporting"))
    for split, attribute in (("test", "make"), ("test", "model"), ("valid", "viewpoint")):
        rows = table[(table["split"] == split) & (table["attribute"] == attribute)]
        assert rows["queries"].sum() == scores.loc[split, "queries"]
        for name in ("mAP@20", "R@1"):
            mean = np.average(rows[name], weights=rows["queries"])
            assert mean == pytest.approx(scores.loc[split, name])
    confused = pd.read_csv(newest(finished_run, "test_all_confusions.csv", "08_reporting"))
    right = 1 - confused["Confused"].sum() / scores.loc["test", "queries"]
    assert right == pytest.approx(scores.loc["test", "R@1"])


def test_report_needs_no_network(finished_run: Path) -> None:
    html = newest(finished_run, "report.html", "08_reporting").read_text()
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", html)
    assert "Worst queries" in html
    assert html.count("data:image/") > 30
    assert ">Searchers</h2>" in html
    assert ">Diagnosis</h2>" in html


def test_a_resumed_run_equals_one_that_was_not_stopped(finished_run: Path, project: Path) -> None:
    for layer in ("03_primary", "06_models"):  # without the export, which would keep its network
        ignored = shutil.ignore_patterns("model.onnx")
        shutil.copytree(finished_run / "data" / layer, project / "data" / layer, ignore=ignored)
    resumed = params(training__epochs=2, training__start_epoch="latest")
    run = command(project, "run", "--pipelines=training", resumed)
    assert run.exit_code == 0, run.output
    first, second = versions(project, "checkpoints", "06_models")
    names = sorted(file.name for file in second.iterdir())
    assert names == ["complete", "model.ep0", "model.ep1", "resume.ep1"]
    history = pd.read_csv(newest(project, "training_history.csv", "08_reporting"))
    assert history["epoch"].tolist() == [0, 1]

    run = command(project, "run", "--pipelines=training", params(training__epochs=2))
    assert run.exit_code == 0, run.output
    whole = versions(project, "checkpoints", "06_models")[-1]
    resumed_state, state = (
        torch.load(folder / "model.ep1", weights_only=True)["model"] for folder in (second, whole)
    )
    assert all(torch.equal(resumed_state[name], state[name]) for name in state)

    pruned = command(project, "prune", "--keep=1")
    assert pruned.exit_code == 0, pruned.output
    assert not first.exists()
    assert not second.exists()
    assert whole.exists()


def test_results_of_different_runs_do_not_mix(finished_run: Path, project: Path) -> None:
    for layer in ("02_intermediate", "03_primary", "04_feature", "06_models"):
        shutil.copytree(finished_run / "data" / layer, project / "data" / layer)

    def refused(*arguments: str) -> str:
        run = command(project, "run", *arguments)
        assert run.exit_code == 1
        assert "Traceback" not in run.output
        return " ".join(run.output.split())

    nodes = "data_processing.split_photos,data_processing.make_valid_pairs"
    run = command(project, "run", f"--nodes={nodes}", params(data_processing__seed=8))
    assert run.exit_code == 0, run.output
    resume = params(training__epochs=2, training__start_epoch="latest")
    assert "another list or split of photos" in refused("--pipelines=training", resume)

    front = newest(project, "car_front.csv", "02_intermediate")
    table = pd.read_csv(front, dtype=str)
    table.loc[3, "Hash"] = "0" * 32  # the file of one photo was replaced
    table.to_csv(front, index=False)
    search = "--pipelines=evaluation", "--to-nodes=evaluation.test_all.search"
    assert "split was made from another list of photos" in refused(*search)


def test_a_misspelt_parameter_stops_before_any_work(project: Path) -> None:
    run = kedro(project, "run", "--params=training.epoch=3")
    assert run.returncode != 0
    (line,) = (run.stdout + run.stderr).strip().splitlines()
    assert line == "Error: parameters: training.epoch: unknown; did you mean training.epochs?"
    assert sorted(path.name for path in (project / "data").iterdir()) == ["01_raw"]


@pytest.fixture
def own_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of stripes, whose class is the direction and spacing, with huge class numbers."""
    root = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    classes = [-5, 7, 2**40, 2**62]
    for folder, index, count in (("traini", "indexinfo.csv", 12), ("testi", "tindexinfo.csv", 3)):
        rows = []
        for number, class_ in enumerate(np.repeat(classes, count)):
            y, x = np.mgrid[:40, :60]
            wave = [x, y, x + y, x - y][classes.index(class_)]
            pixels = 127 + 100 * np.sin(wave / 2 + rng.random() * 6)[..., None]
            noisy = pixels + rng.normal(0, 10, (40, 60, 3))
            path = f"{number % 3}/{number}.png"
            (root / folder / path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(root / folder / path)
            rows.append((path, number, class_))
        table = pd.DataFrame(rows, columns=["Path", "Index", "Class"])
        table.to_csv(root / index, index=False)
        np.save(root / "test.npy", table[["Index", "Class"]].to_numpy(np.int64))
    return root


def test_own_images(project: Path, own_images: Path) -> None:
    quick = params(training__batch_size=16, evaluation__min_class_size=13)
    run = command(project, "run", "--env=independent", quick, INDEPENDENT_ROOT=str(own_images))
    assert run.exit_code == 0, run.output
    collection = f"independent-{own_images.name}"
    summary = pd.read_csv(newest(project, "summary.csv", "08_reporting", collection))
    rows = summary.set_index(["split", "protocol"])
    assert rows.loc[("test", "all"), "queries"] == 12
    assert ("test", "filtered") not in rows.index
    assert "filtered scores are left out" in run.stdout


def test_a_bad_row_is_one_line_with_its_place(project: Path, own_images: Path) -> None:
    lines = (own_images / "indexinfo.csv").read_text().splitlines()
    lines[3] = lines[3].rsplit(",", 1)[0] + ",red"
    (own_images / "indexinfo.csv").write_text("\n".join(lines))
    run = command(project, "run", "--env=independent", INDEPENDENT_ROOT=str(own_images))
    assert run.exit_code == 1
    assert "indexinfo.csv, line 4, Class: 'red' is not an integer" in run.output
    assert "Traceback" not in run.output
    assert not (project / "data" / "02_intermediate").exists()
