import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

from car_retrieval.io import memory
from car_retrieval.io.memory import MemoryWatch

SIZE = 60 << 20
SRC = str(Path(memory.__file__).parents[2])


@pytest.fixture
def watch(monkeypatch):
    monkeypatch.setattr(memory, "SAMPLE_SECONDS", 0.005)
    monkeypatch.setattr(memory, "SAMPLES_PER_SCAN", 2)
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
from car_retrieval.io.memory import MemoryWatch
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


KEPT = """
import psutil, numpy as np
from car_retrieval.io.memory import keep_freed_memory, return_freed_memory
keep_freed_memory()
resident = lambda: psutil.Process().memory_info().rss
before = resident()
block = np.ones(100 << 20, np.uint8)
del block
kept = resident()
return_freed_memory()
print(kept - before, resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_kept_until_it_is_returned():
    output = subprocess.run(
        [sys.executable, "-c", KEPT],
        env=os.environ | {"PYTHONPATH": SRC},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    kept, returned = map(int, output.split())
    assert kept > 90 << 20
    assert returned < 30 << 20
