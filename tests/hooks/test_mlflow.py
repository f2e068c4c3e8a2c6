"""What MLflow is told, by a run as its users run it; skipped without the extra."""

import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from tests.conftest import kedro, make_project, params

from car_retrieval.hooks.mlflow import Tracking, _numbers


class TestWithoutARun:
    @pytest.mark.parametrize("mlflow", [None, SimpleNamespace(active_run=lambda: None)])
    def test_nothing_is_logged(self, monkeypatch, mlflow):
        monkeypatch.setitem(sys.modules, "mlflow", mlflow)
        Tracking().before_pipeline_run(pipeline=None, catalog=None)
        Tracking().after_dataset_saved("training_history", pd.DataFrame())


def test_names_and_values_that_mlflow_takes():
    values = {"mAP@20": 0.5, "epoch": 1, "name": "x", "gone": None, "nan": math.nan}
    assert _numbers("test_all", values) == {"test_all/mAP_at_20": 0.5, "test_all/epoch": 1}


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """A project in which the job was run with the extra, and the run that MLflow knows."""
    mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")
    pytest.importorskip("kedro_mlflow", reason="needs the extra mlflow")
    project = make_project(tmp_path_factory.mktemp("tracked"))
    run = kedro(project, "run", params(training__epochs=2), timeout=900)
    assert run.returncode == 0, run.stdout + run.stderr
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{project}/data/mlflow.db")
    experiment = client.get_experiment_by_name("sample")
    (known,) = client.search_runs([experiment.experiment_id])
    return project, client, known


def test_parameters_are_logged_by_name(tracked):
    logged = tracked[2].data.params
    assert logged["training.epochs"] == "2"
    assert logged["training.loss.name"] == "CrossEntropy"
    assert "evaluation.k" in logged


def test_epochs_are_curves_as_in_the_table(tracked):
    project, client, known = tracked
    (file,) = (project / "data/08_reporting/sample/training_history.csv").glob("*/*.csv")
    history = pd.read_csv(file)
    for name, metric in (("loss", "training/loss"), ("mAP@20", "training/mAP_at_20")):
        curve = client.get_metric_history(known.info.run_id, metric)
        assert [point.step for point in curve] == [0, 1]
        assert [point.value for point in curve] == pytest.approx(history[name].tolist())


def test_scores_are_those_of_the_summary(tracked):
    project, _, known = tracked
    (file,) = (project / "data/08_reporting/sample/summary.csv").glob("*/*.csv")
    summary = pd.read_csv(file).set_index(["split", "protocol"])
    for split in ("valid", "test"):
        wanted = summary.loc[(split, "all"), "mAP@20"]
        assert known.data.metrics[f"{split}_all_exact/mAP_at_20"] == pytest.approx(wanted)


def test_figures_and_tables_are_there(tracked):
    project, client, known = tracked
    files = {artifact.path for artifact in client.list_artifacts(known.info.run_id)}
    assert {"report.html", "searchers.csv", "figures"} <= files
    figures = [a.path for a in client.list_artifacts(known.info.run_id, "figures")]
    assert "figures/training_curves.png" in figures
    assert Path(known.info.artifact_uri.removeprefix("file://")).is_relative_to(project)


def test_nothing_is_reported_to_anyone():
    pytest.importorskip("kedro_mlflow", reason="needs the extra mlflow")
    code = (
        "import sys; sys.argv = ['kedro', 'registry', 'list']\n"
        "from kedro.framework.cli.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "from mlflow.telemetry import get_telemetry_client\n"
        "assert get_telemetry_client() is None\n"
    )
    root = Path(__file__).parents[2]
    hidden = ("CI", "PYTEST_CURRENT_TEST", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
    clean = {name: value for name, value in os.environ.items() if name not in hidden}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=clean | {"PYTHONPATH": "src", "KEDRO_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
