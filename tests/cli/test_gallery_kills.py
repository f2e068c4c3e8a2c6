"""`kedro gallery add` and `remove`, killed at random moments.

At full size: GALLERY_KILLS=50 pytest tests/cli/test_gallery_kills.py.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.serving.conftest import ENV, PHOTOS, own_project, picture, searchable

from car_retrieval.gallery.store import GalleryStore
from car_retrieval.images.inspect import digest_of
from car_retrieval.serving.run_artifacts import open_retriever

__all__ = ["own_project", "searchable"]  # fixtures

NEW, BATCH = 60, 4
ADD = ("add", "new", "--field=source=new")
REMOVE = ("remove", "--where=source=new")
COMMAND = f"""
import sys
from car_retrieval.cli import gallery, gallery_add
gallery_add.BATCH = {BATCH}
print("ready", flush=True)
gallery.command(sys.argv[1:])
"""


def start(project: Path, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=project,
        env=os.environ | {"KEDRO_ENV": ENV, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def added(store: GalleryStore) -> set[str]:
    return {change.record.hash for change in store.changes() if not change.removed}


def test_commands_that_are_killed_leave_whole_batches(
    own_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own_project)
    (own_project / "new").mkdir()
    files = [picture(1000 + number) for number in range(NEW)]
    for number, data in enumerate(files):
        (own_project / "new" / f"{number}.jpg").write_bytes(data)
    hashes = set(map(digest_of, files))
    store = open_retriever(ENV).gallery.store
    rng = np.random.default_rng(0)
    done = {"add": 0, "remove": 0, "killed": 0, "in part": 0}
    for _ in range(int(os.environ.get("GALLERY_KILLS", "3"))):
        before, revision = added(store), store.revision
        kind = "remove" if before == hashes else "add"
        arguments = ADD if kind == "add" else REMOVE
        process = start(own_project, *arguments)
        if rng.random() < 0.8:  # else while the command starts
            while store.revision == revision and process.poll() is None:
                time.sleep(0.002)
        time.sleep(rng.uniform(0, 1))
        process.kill()
        output, _ = process.communicate()
        done[kind] += 1
        done["killed"] += process.returncode < 0
        after = added(store)
        done["in part"] += after not in (before, set(), hashes)
        assert before <= after if kind == "add" else after in (before, set())
        assert len(after) % BATCH == 0, "a batch is there completely or not at all"
        if kind == "add" and " skipped" in output:
            assert after == hashes, "what was said to be done is done"
        if "photos removed" in output:
            assert not after, "what was said to be done is done"
        check(own_project, after)
    output, errors = start(own_project, *ADD).communicate()
    assert f"{NEW - len(after)} added" in output, errors
    check(own_project, hashes)
    print(done)


def check(project: Path, hashes: set[str]) -> None:
    """Check that the gallery has these photos, whole, each with its own descriptor."""
    retriever = open_retriever(ENV, project)
    snapshot = retriever.gallery.snapshot()
    rows = [row for row in np.flatnonzero(snapshot.present) if row >= PHOTOS]
    assert {snapshot.record(row).hash for row in rows} == hashes
    for row in rows:
        record = snapshot.record(row)
        data = retriever.files[record.path]
        assert digest_of(data) == record.hash
        described = retriever.describe(retriever.packed(record.id)[None])[0]
        np.testing.assert_allclose(described, snapshot.vector(row), atol=1e-5)
