"""What is handed over, by those who have neither this project nor PyTorch; and the wheel."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from car_retrieval.datasets.model import ModelDataset
from car_retrieval.datasets.whitening import WhiteningDataset
from car_retrieval.models.encoder import Encoder, encode
from tests.conftest import ROOT, command
from tests.test_run import newest

DOCUMENT = (ROOT / "docs" / "hand_over.md").read_text()
SNIPPETS = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def exported(finished_run: Path) -> Path:
    run = command(finished_run, "run", "--pipelines=export")
    assert run.exit_code == 0, run.output
    for name in ("onnx model", "gallery embeddings", "query embeddings", "model card"):
        assert re.search(rf"^{name}: data/", run.stdout, re.MULTILINE), run.stdout
    return finished_run


def test_the_file_describes_photos_as_the_run_did(exported: Path) -> None:
    session = onnxruntime.InferenceSession(newest(exported, "model.onnx", "06_models"))
    images = np.load(newest(exported, "test_image.npy", "03_primary"))[:40]
    stored = np.load(newest(exported, "tdatabase.npy", "04_feature"))[:40]
    [found] = session.run(None, {"images": images})
    np.testing.assert_allclose(found, stored, atol=1e-4)
    assert stored.std(axis=0).max() > 0.01


@pytest.mark.parametrize(
    ("table", "listed", "described"),
    [("gallery", "car_front.csv", "database.npy"), ("query", "tindexinfo.csv", "tdatabase.npy")],
)
def test_the_tables_hold_what_the_run_holds(
    exported: Path, table: str, listed: str, described: str
) -> None:
    read = pd.read_parquet(newest(exported, f"{table}_embeddings.parquet", "07_model_output"))
    photos = pd.read_csv(newest(exported, listed, "02_intermediate"))
    for name, column in {"Path": "Path", "Class": "Class", "Model": "ModelName"}.items():
        assert read[name].tolist() == photos[column].tolist()
    vectors = np.load(newest(exported, described, "04_feature"))
    np.testing.assert_array_equal(np.stack(read["Descriptor"]), vectors)


def test_the_documents_search_needs_onnxruntime_only(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    shutil.copy(newest(exported, "model.onnx", "06_models"), tmp_path)
    shutil.copy(newest(exported, "gallery_embeddings.parquet", "07_model_output"), tmp_path)
    photos = pd.read_csv(newest(exported, "tindexinfo.csv", "02_intermediate"))
    stored, features = (
        np.load(newest(exported, name, "04_feature"))
        for name in ("tdatabase.npy", "query_features.npy")
    )
    net = ModelDataset(str(newest(exported, "model.safetensors", "06_models"))).load()
    encoder = Encoder(net, flip=True)
    file = newest(exported, "whitening.safetensors", "06_models")
    whitening = WhiteningDataset(str(file)).load()
    monkeypatch.chdir(tmp_path)
    root = ROOT / "data" / "01_raw" / "sample" / "sv_data" / "image"
    for row in (0, 7, 20):
        shutil.copy(root / photos["Path"][row], "photo.jpg")
        known: dict = {}
        for snippet in SNIPPETS:
            assert "torch" not in snippet
            exec(snippet, known)
        # Pillow decodes and resizes a little differently; at 32 px and after one epoch that shows.
        # Whitening widens angles, so that the photo is compared before it, and the file after it.
        pixels = known["square"].transpose(2, 0, 1)[None]
        feature = np.concatenate(list(encode(encoder, pixels)))[0]
        assert feature @ features[row] > np.cos(np.radians(8))
        np.testing.assert_allclose(known["descriptor"], whitening(feature[None])[0], atol=1e-4)
        assert (stored @ known["descriptor"]).argmax() == row  # and no other photo's is closer
        best = known["gallery"].nlargest(5, "Similarity")["Path"].tolist()
        assert all(path in capsys.readouterr().out for path in best[:1])
        assert sum(len(part) for part in [known["vectors"]]) == len(known["gallery"])


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The installed wheel, and a folder with the configuration alone.

    As `kedro package` makes them, but with the setuptools that is here, not one from the network.
    """
    source, folder = (tmp_path_factory.mktemp(name) for name in ("source", "elsewhere"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "local")
    shutil.copytree(ROOT / "src", source / "src", ignore=ignored)
    shutil.copytree(ROOT / "conf", folder / "conf", ignore=ignored)
    (folder / "conf" / "local").mkdir()
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", source]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = (source / "dist").glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, f"--target={folder / 'installed'}", wheel], check=True)
    shutil.rmtree(source)
    return folder / "installed", folder


def packaged(elsewhere: tuple[Path, Path], *arguments: str) -> subprocess.CompletedProcess:
    installed, folder = elsewhere
    return subprocess.run(
        [sys.executable, "-m", "car_retrieval", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("KEDRO")}
        | {"PYTHONPATH": str(installed), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_wheel_runs_elsewhere(elsewhere: tuple[Path, Path]) -> None:
    size = ("models=5", "web_photos=60", "surveillance_photos=20", "surveillance_models=3")
    changes = ",".join(f"sample_data.{change}" for change in size)
    run = packaged(elsewhere, "--pipelines=sample_data", f"--params={changes}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert (elsewhere[1] / "data" / "01_raw" / "sample" / "sv_data").is_dir()
    run = packaged(elsewhere, "run", "--pipelines=data_processing")
    assert run.returncode == 0, run.stdout + run.stderr
    assert (elsewhere[1] / "data" / "03_primary" / "sample" / "imageset.npy").is_dir()


def test_the_wheel_has_the_projects_commands(elsewhere: tuple[Path, Path]) -> None:
    pruned = packaged(elsewhere, "prune", "--dry-run")
    assert pruned.returncode == 0, pruned.stdout + pruned.stderr
    assert "would delete 0.0 MB in all" in pruned.stdout
    searched = packaged(elsewhere, "search", "--help")
    assert "--crop" in searched.stdout
    wrong = packaged(elsewhere, "--params=training.epoch=3")
    assert wrong.returncode == 1
    assert "did you mean training.epochs?" in wrong.stderr


def test_the_wheel_has_what_is_no_code(elsewhere: tuple[Path, Path]) -> None:
    kinds = {".html", ".md", ".css", ".js"}
    own = ROOT / "src" / "car_retrieval"
    wanted = {path.relative_to(own) for path in own.rglob("*") if path.suffix in kinds}
    assert len(wanted) >= 2
    installed = elsewhere[0] / "car_retrieval"
    assert wanted <= {path.relative_to(installed) for path in installed.rglob("*")}
