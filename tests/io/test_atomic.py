import os
import subprocess
import sys
from pathlib import Path

import pytest

from car_retrieval.io.atomic import atomic


def test_a_file_appears_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a.txt"
    with atomic(file) as part:
        part.write_text("half")
        assert not file.exists()
        part.write_text("whole")
    assert [path.read_text() for path in file.parent.iterdir()] == ["whole"]


def test_a_killed_write_leaves_the_old_file_and_is_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    script = f"""
import os
from pathlib import Path
from car_retrieval.io.atomic import atomic
with atomic(Path({str(file)!r})) as part:
    part.write_text("half")
    os._exit(9)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert run.returncode == 9
    assert file.read_text() == "old"
    with atomic(file) as part:
        part.write_text("new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]


def stopped_half_way(file: Path) -> None:
    with atomic(file) as part:
        part.write_text("half")
        raise KeyboardInterrupt


def test_an_error_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        stopped_half_way(file)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
