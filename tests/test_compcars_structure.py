"""The job at CompCars' true size: its real metadata with a tiny made-up picture for every photo.

Takes some minutes and 320,000 small files, so that it only runs where the metadata are.
"""

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import loadmat

from tests.conftest import kedro, make_project
from tests.test_run import newest

METADATA = Path(os.environ.get("CAR_RETRIEVAL_REAL_DATA", "")) / "compcars_metadata"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not (METADATA.is_dir() and os.environ.get("CAR_RETRIEVAL_FULL_SIZE")),
        reason="set CAR_RETRIEVAL_REAL_DATA to a folder that holds compcars_metadata/ and "
        "CAR_RETRIEVAL_FULL_SIZE=1",
    ),
]


def picture(path: str) -> bytes:
    """A JPEG of 16 × 16 px with its path as a comment: no two are equal."""
    return BLANK[:2] + b"\xff\xfe" + (len(path) + 2).to_bytes(2) + path.encode() + BLANK[2:]


def blank() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), "grey").save(buffer, "JPEG")
    return buffer.getvalue()


BLANK = blank()


def write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


@pytest.fixture
def compcars(tmp_path: Path) -> Path:
    root = tmp_path / "CompCars"
    labels = pd.read_csv(METADATA / "web_labels.csv.gz")
    for path, view, *box in labels.itertuples(index=False):
        write(root / "data" / "image" / path, picture(path))
        text = f"{view}\r\n1\n{' '.join(map(str, box))}\n"
        write((root / "data" / "label" / path).with_suffix(".txt"), text.encode())
    write(root / "data" / "misc" / "x", b"")
    shutil.copy(METADATA / "make_model_name.mat", root / "data" / "misc")
    for part in ("train", "test"):
        listed = METADATA / f"{part}_surveillance.txt"
        for path in listed.read_text().split():
            write(root / "sv_data" / "image" / path, picture(path))
        shutil.copy(listed, root / "sv_data")
    shutil.copy(METADATA / "sv_make_model_name.mat", root / "sv_data")
    return root


def test_true_structure(compcars: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    project = make_project(tmp_path_factory.mktemp("project"))
    run = kedro(
        project,
        "run",
        "--env=compcars",
        "--pipelines=data_processing",
        "--params=data_processing.image_size=16",
        COMPCARS_ROOT=str(compcars),
        timeout=1200,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    print(run.stdout)
    front = pd.read_csv(newest(project, "car_front.csv", "02_intermediate", "compcars"))
    rear = pd.read_csv(newest(project, "car_rear.csv", "02_intermediate", "compcars"))
    index = pd.read_csv(newest(project, "tindexinfo.csv", "02_intermediate", "compcars"))
    split = pd.read_csv(newest(project, "split.csv", "03_primary", "compcars"))
    images = np.load(newest(project, "imageset.npy", "03_primary", "compcars"), mmap_mode="r")
    report = json.loads(newest(project, "data_report.json", "08_reporting", "compcars").read_text())
    print(json.dumps(report, indent=2))
    assert (len(front), front["Class"].nunique()) == (67_732, 1_714)
    assert len(rear) == 44_663
    assert (len(index), index["Class"].nunique()) == (44_481, 281)
    assert images.shape == (67_732, 3, 16, 16)
    sizes = front["Class"].value_counts()
    large = sizes.index[sizes >= 58]
    assert len(large) == 508
    assert front["Class"].isin(large).sum() == 33_593
    kept = index[index["Class"].isin(large)]
    assert (len(kept), kept["Class"].nunique()) == (25_905, 149)
    valid = split[split["split"] == "valid"]
    assert valid["Class"].isin(large).sum() == 4_577
    names = loadmat(METADATA / "make_model_name.mat")["make_names"]
    assert front["MakeName"].iloc[0] == str(names[int(front["CarMake"].iloc[0]) - 1, 0][0]).strip()
