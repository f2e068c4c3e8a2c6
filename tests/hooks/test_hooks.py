import time
from types import SimpleNamespace

import pytest

from car_retrieval.hooks import InputChecks, RunReport, run_summary


def test_seconds_and_memory_are_charged_to_the_stage_of_the_node(monkeypatch):
    printed = []
    monkeypatch.setattr(run_summary, "print_run", lambda *given: printed.append(given))
    report = RunReport()
    for _ in range(2):
        report.before_pipeline_run()
        for tags in ({"training"}, {"training", "x"}, {"encoding"}):
            report.before_node_run(SimpleNamespace(tags=tags))
            time.sleep(0.02)
        report.after_pipeline_run("pipeline", "catalog")
    (pipeline, catalog, seconds, peak), again = printed
    assert (pipeline, catalog) == ("pipeline", "catalog")
    assert set(seconds) == set(peak) == {"training", "encoding"}
    assert seconds["training"] >= 0.04
    assert seconds["encoding"] >= 0.02
    assert all(bytes_ > 1e6 for bytes_ in peak.values())
    assert set(again[2]) == {"training", "encoding"}  # a second run begins anew
    assert report._watch._stop.is_set()


def test_an_error_ends_the_watch():
    report = RunReport()
    report.on_pipeline_error()
    report.before_pipeline_run()
    report.on_pipeline_error()
    assert report._watch._stop.is_set()


def test_a_catalog_of_old_names_is_told_the_new_ones():
    InputChecks().after_catalog_created({"gallery_descriptors": {}, "mine": {}})
    with pytest.raises(ValueError, match=r"^catalog: .*database is now gallery_descriptors$"):
        InputChecks().after_catalog_created({"database": {}})
