"""A file that does not fit: one error that says so, and nothing left of the file."""

import subprocess
import sys
from pathlib import Path

import pytest

resource = pytest.importorskip("resource")  # Windows has none

ROOM = 2_000_000
PROGRAM = f"""
import resource, signal, sys
from pathlib import Path
import numpy as np, pandas as pd, torch
from PIL import Image
from safetensors.torch import save_file
from car_retrieval.io.atomic import atomic

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({ROOM}, {ROOM}))
large = torch.zeros(1_000_000)
noise = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), np.uint8)
writers = {{
    "torch": lambda path: torch.save(large, path),
    "safetensors": lambda path: save_file({{"a": large}}, path),
    "numpy": lambda path: np.save(path.open("wb"), large.numpy()),
    "pandas": lambda path: pd.DataFrame(large.numpy()).to_csv(path),
    "pillow": lambda path: Image.fromarray(noise).save(path, "PNG"),
    "text": lambda path: path.write_text("x" * 4_000_000),
}}
for name, write in writers.items():
    try:
        with atomic(Path(sys.argv[1], name)) as part:
            write(part)
    except OSError as error:
        print(name, error)
with atomic(Path(sys.argv[1], "small")) as part:
    part.write_bytes(bytes(1_000))
try:
    with atomic(Path(sys.argv[1], "failed")) as part:
        part.write_bytes(bytes(1_000))
        raise OSError("another error")
except OSError as error:
    print(error)
"""


def test_a_file_that_does_not_fit_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    *lines, last = run.stdout.splitlines()
    names = ["torch", "safetensors", "numpy", "pandas", "pillow", "text"]
    assert [line.split(" ")[0] for line in lines] == names
    for name, line in zip(names, lines, strict=True):
        assert "the disk is full" in line
        assert str(tmp_path / name) in line
    assert last == "another error"
    assert [file.name for file in tmp_path.iterdir()] == ["small"]
