import re

import numpy as np
import pytest
import yaml
from kedro.io import Version
from tests.conftest import command

from car_retrieval.cli.tune import print_tuning, snippet
from car_retrieval.datasets.matrix import MatrixDataset
from car_retrieval.io.matrix import MatrixStream
from car_retrieval.search.lopq.fit import LopqParams
from car_retrieval.search.tune import Setting

EXACT = Setting(None, 0, 1.0, 100.0, 512.0, 0.0)
GOOD = Setting(LopqParams(quota=500, bits=4), 100, 0.97, 400.0, 40.0, 1.5)
BETTER = Setting(LopqParams(splits=1, pca=64), 40, 0.99, 200.0, 60.0, 2.5)
SLOWER = Setting(LopqParams(coarse=16), 40, 0.98, 50.0, 60.0, 2.5)


def save(project, name, vectors, version="v1", encoder="a"):
    file = {"gallery_descriptors": "database", "query_descriptors": "tdatabase"}[name]
    path = project / "data" / "04_feature" / "sample" / f"{file}.npy"
    stream = MatrixStream([vectors.astype(np.float32)], {"encoder": encoder})
    MatrixDataset(path.as_posix(), Version(version, version)).save(stream)


def pasted(text):
    found = yaml.safe_load(re.search(r"^evaluation:\n.*", text, re.M | re.S)[0])
    return found["evaluation"]["searchers"]["lopq"]


def test_the_snippet_says_the_setting():
    assert snippet(GOOD) == (
        "evaluation:\n  searchers:\n    lopq: {kind: lopq, splits: 2, coarse: 8, "
        "subquantisers: 32, bits: 4, codebooks: local, pca: null, quota: 500, rerank: 100}"
    )
    values = pasted(snippet(BETTER))
    assert (values.pop("kind"), values.pop("rerank")) == ("lopq", 40)
    assert LopqParams(**values) == BETTER.params


def test_the_table_has_the_front_and_the_best(capsys):
    print_tuning([EXACT, SLOWER, BETTER, GOOD], 20, 0.95)
    shown = capsys.readouterr().out
    head, rows = re.split(r"─{50,}\s*\n", shown)
    assert "…" not in head
    exact, best, other = (" ".join(line.split()) for line in rows.splitlines()[:3])
    assert exact.startswith("exact – –")
    assert best == "* 2 8 32 4 local – 500 100 0.9700 400 40 1.5"
    assert other == "1 8 32 8 local 64 – 40 0.9900 200 60 2.5"
    assert pasted(shown)["quota"] == 500
    assert "No setting" not in shown
    assert "faster" not in shown


def test_what_is_not_worth_it_is_said(capsys):
    print_tuning([EXACT, SLOWER], 20, 0.95)
    assert "Exact search is faster here" in capsys.readouterr().out
    print_tuning([EXACT, GOOD, BETTER], 20, 0.995)
    shown = capsys.readouterr().out
    assert "No setting reaches a recall of 0.995" in shown
    assert pasted(shown)["pca"] == 64


def test_the_command_tunes_on_the_newest_descriptors(project):
    rng = np.random.default_rng(0)
    save(project, "gallery_descriptors", rng.normal(size=(10, 3)))
    save(project, "gallery_descriptors", rng.normal(size=(600, 16)), "v2")
    save(project, "query_descriptors", rng.normal(size=(30, 16)))
    tuned = command(project / "data", "tune", "--recall=0.9", "--bytes=8", "--k=5")
    assert tuned.exit_code == 0, tuned.output
    assert "recall@5" in tuned.stdout
    values = pasted(tuned.stdout)
    assert values["kind"] == "lopq"
    assert values["subquantisers"] * values["bits"] <= 64


@pytest.mark.parametrize("env", [[], ["--env=compcars"]])
def test_without_descriptors_it_says_what_to_run(project, env):
    tuned = command(project, "tune", *env)
    assert tuned.exit_code == 1
    assert "Traceback" not in tuned.stderr
    assert "no dataset gallery_descriptors" in tuned.stderr
    assert " ".join(["kedro run --pipelines=encoding", *env]) + "`" in tuned.stderr


@pytest.mark.parametrize("recall", ["0", "2"])
def test_a_recall_that_cannot_be_is_refused(project, recall):
    tuned = command(project, "tune", f"--recall={recall}")
    assert tuned.exit_code != 0
    assert "--recall" in tuned.stderr


def test_descriptors_of_two_encoders_are_refused(project):
    save(project, "gallery_descriptors", np.ones((600, 16)))
    tuned = command(project, "tune")
    assert tuned.exit_code == 1
    assert "no dataset query_descriptors" in tuned.stderr
    save(project, "query_descriptors", np.ones((5, 16)), encoder="b")
    tuned = command(project, "tune")
    assert tuned.exit_code == 1
    assert (
        "Error: gallery_descriptors and query_descriptors are from different encoders"
        in tuned.stderr
    )
