import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from car_retrieval import hooks, run_report
from car_retrieval.hooks import MemoryWatch, RunReport

SIZE = 60 << 20
SRC = str(Path(hooks.__file__).parents[1])


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


def test_an_allocation_is_seen_after_it_is_gone():
    # In a process of its own: what else lives in this one comes and goes.
    code = f"""
import time
from car_retrieval.hooks import MemoryWatch
watch = MemoryWatch()
before = watch.reset()
block = b"x" * {SIZE}
time.sleep(0.5)
del block
peak = watch.reset()
assert peak > before + {SIZE // 2}, (before, peak)
assert watch.reset() < peak - {SIZE // 2}
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": SRC})


def test_a_childs_memory_counts(watch):
    code = f"block = b'x' * {SIZE}; input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        wait(lambda: child.pid in [process.pid for process in watch._children])
        own = watch._process.memory_info().rss
        wait(lambda: watch._peak > own + SIZE // 2)
        child.communicate(b"\n")
    assert watch.reset() > own + SIZE // 2


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
