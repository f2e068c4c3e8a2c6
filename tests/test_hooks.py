import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from car_retrieval import hooks, run_report
from car_retrieval.hooks import MemoryWatch, RunReport

SIZE = 60 << 20


@pytest.fixture
def watch(monkeypatch):
    monkeypatch.setattr(hooks, "SECONDS_BETWEEN_LOOKS", 0.005)
    monkeypatch.setattr(hooks, "LOOKS_PER_SEARCH", 2)
    watch = MemoryWatch()
    yield watch
    watch.stop()


def wait(done, seconds=10.0):
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(0.01)


def test_an_allocation_is_seen_after_it_is_gone(watch):
    before = watch.reset()
    block = b"x" * SIZE
    wait(lambda: watch._peak > before + SIZE // 2)
    del block
    peak = watch.reset()
    assert peak > before + SIZE // 2
    assert watch.reset() < peak


def test_a_childs_memory_counts(watch):
    before = watch.reset()
    code = f"block = b'x' * {SIZE}; input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        wait(lambda: watch._peak > before + SIZE // 2)
        child.communicate(b"\n")
    assert watch.reset() > before + SIZE // 2


def test_seconds_and_memory_are_charged_to_the_stage_of_the_node(monkeypatch):
    printed = []
    monkeypatch.setattr(run_report, "print_run", lambda *given: printed.append(given))
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
