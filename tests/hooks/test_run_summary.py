from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset, Version
from kedro.pipeline import Node, Pipeline
from rich.console import Console
from tests.parameters import evaluation_params

from car_retrieval.datasets.figure import FigureDataset
from car_retrieval.hooks.run_summary import _searchers, print_run

SUMMARY = pd.DataFrame(
    {
        "split": ["valid", "test"],
        "protocol": ["all", "filtered"],
        "queries": [1234567, 20],
        "classes": [9, 9],
        "trained_classes": [9, 4],
        "mAP@20": [0.123456, np.nan],
    }
)


def pipeline(*outputs):
    return Pipeline([Node(lambda: None, None, list(outputs), name="n")])


def test_scores_stages_and_places(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "reporting" / "report.html"
    report = FigureDataset(filepath=str(place), version=Version(None, "v1"))
    (place / "v1").mkdir(parents=True)
    (place / "v1" / "report.html").touch()
    catalog = DataCatalog(
        {
            "summary": MemoryDataset(SUMMARY),
            "report": report,
            "params:evaluation": MemoryDataset(evaluation_params()),
        }
    )
    seconds, peak = {"training": 12.34, "encoding": 1.0}, {"training": 3 * 10**9, "encoding": 10**8}
    print_run(pipeline("summary", "report"), catalog, seconds, peak)
    text = capsys.readouterr().out
    for wanted in ("1,234,567", "0.123", "–", "12.3", "13.3", "3,000 MB", "100 MB"):
        assert wanted in text
    assert f"report: {Path('reporting/report.html/v1/report.html')}" in text
    assert "figures: reporting/*_figures/" in text


@pytest.mark.parametrize(
    ("search_in", "trained", "warned"), [("queries", 3, 1), ("queries", 0, 0), ("gallery", 9, 0)]
)
def test_leave_one_out_on_trained_classes_is_warned_of(capsys, search_in, trained, warned):
    counts = {"queries": [20], "classes": [9], "trained_classes": [trained]}
    summary = pd.DataFrame({"split": ["test"], "protocol": ["all"]} | counts)
    params = evaluation_params(search_in=search_in, min_class_size=None)
    given = {"summary": MemoryDataset(summary), "params:evaluation": MemoryDataset(params)}
    print_run(pipeline("summary"), DataCatalog(given), {}, {})
    text = capsys.readouterr().out
    assert text.count(f"{trained} of the 9 classes") == warned
    assert "filtered scores" not in text


def test_a_part_of_the_pipeline_shows_its_part(capsys):
    print_run(pipeline("split"), DataCatalog({}), {}, {})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("inside", [True, False])
def test_a_path_is_relative_where_it_can_be(tmp_path, monkeypatch, capsys, inside):
    monkeypatch.chdir(tmp_path if inside else Path("/"))
    catalog = DataCatalog({"sample": MemoryDataset(tmp_path / "raw")})
    print_run(pipeline("sample"), catalog, {}, {})
    shown = "raw" if inside else str(tmp_path / "raw").lstrip("/")
    assert capsys.readouterr().out.strip() in (f"sample: {shown}", f"sample: {tmp_path / 'raw'}")


def test_recipes_with_their_spread(capsys):
    scores = {"valid mAP@20": 0.5, "test mAP@20": 0.4, "test R@1": 0.3, "test MAP@R": 0.2}
    spread = {f"{name} sd": sd for name, sd in zip(scores, (0.012, 0.02, 0.03, 0.04), strict=True)}
    costs = {"images": 17003.0, "seconds": 60.0, "CPU seconds": 99.6, "images to baseline": 0.25}
    rows = [
        {"recipe": "tuple_softmax_temperature", "runs": 3} | scores | spread | costs,
        {"recipe": "once", "runs": 1} | scores | dict.fromkeys(spread, np.nan) | costs,
    ]
    catalog = DataCatalog({"ablation_table": MemoryDataset(pd.DataFrame(rows))})
    print_run(pipeline("ablation_table"), catalog, {}, {})
    text = capsys.readouterr().out
    for wanted in (
        "tuple_softmax_temperature",
        "0.500±.012",
        "0.400±.020",
        "17,003",
        "100",
        "0.250",
    ):
        assert wanted in text
    assert text.splitlines()[-2].count("±") == 0
    assert "…" not in text


def test_searchers_fit_eighty_columns():
    names = ("exact", "lopq + rerank", "ivfpq + rerank")
    found = {"mAP@20": 0.856, "R@1": 0.914, "recall@20": 0.998}
    costs = {"batch q/s 1 thread": 123456.0, "single q/s 1 thread": 8123.0, "fit s": 12.34}
    costs |= {"bytes/vector": 2048}
    rows = [{"searcher": name} | found | costs for name in names]
    console = Console(width=80, file=StringIO())
    console.print(_searchers(pd.DataFrame(rows)))
    lines = console.file.getvalue().splitlines()
    assert all(any(name in line for line in lines) for name in names)
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert all(word in " ".join(lines) for word in ("searcher", "recall", "vector", "batch"))
