"""The protocol of Cars196 as a user runs it, on a few drawn photos in the official layout."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from car_retrieval.io.matrix import Matrix
from tests.conftest import command, make_project, params
from tests.data.test_cars196 import annotations, cell
from tests.test_run import newest

NAMES = [f"AM General Model {number} SUV {2000 + number % 3}" for number in range(1, 13)]
SMALL = params(
    training__dimension=32,
    encoding__whitening__kind="pca",  # learnt needs more photos
    training__images_per_epoch=48,
    data_processing__valid_ratio=6,
    evaluation__searchers__lopq__subquantisers=8,
    evaluation__searchers__lopq__bits=4,
    evaluation__searchers__lopq__coarse=2,
    evaluation__searchers__ivfpq="null",
    evaluation__searchers__rabitq="null",
)


def draw_cars196(root: Path) -> None:
    """Twelve classes of twelve photos, each of a colour and a stripe of its own, with noise."""
    from scipy.io import savemat

    rng, photos = np.random.default_rng(3), []
    (root / "car_ims").mkdir(parents=True)
    for number in rng.permutation(144):
        class_ = number % 12
        pixels = rng.normal(120, 50, (40, 48, 3))
        pixels[:, 4 * class_ : 4 * class_ + 4, class_ % 3] += 100
        path = f"car_ims/{number:06}.jpg"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / path)
        photos.append((path, int(class_) + 1, (1, 1, 48, 40)))
    content = {"annotations": annotations(photos, "relative_im_path"), "class_names": cell(NAMES)}
    savemat(root / "cars_annos.mat", content)


@pytest.fixture(scope="module")
def cars_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project in which classes 1 to 6 trained and 7 to 12 search each other; what it printed."""
    folder = make_project(tmp_path_factory.mktemp("cars196"))
    draw_cars196(folder / "photos")
    classes = {"CARS196_TRAIN": "1-6", "CARS196_TEST": "7-12"}
    root = {"CARS196_ROOT": str(folder / "photos")}
    run = command(folder, "run", "--env=cars196", SMALL, **root, **classes)
    assert run.exit_code == 0, run.output
    return folder, run.output


def test_the_scores_are_those_of_the_stored_descriptors(cars_run: tuple[Path, str]) -> None:
    folder, printed = cars_run
    summary = pd.read_csv(newest(folder, "summary.csv", "08_reporting", "cars196"))
    assert summary["protocol"].tolist() == ["all", "all"]
    row = summary.set_index("split").loc["test"]
    assert row[["queries", "classes", "trained_classes", "gallery"]].tolist() == [72, 6, 0, 72]

    vectors = Matrix(newest(folder, "tdatabase.npy", "04_feature", "cars196"))[:]
    listed = newest(folder, "tindexinfo.csv", "02_intermediate", "cars196")
    classes = pd.read_csv(listed)["Class"].to_numpy()
    assert set(classes) == set(range(7, 13))
    products = vectors @ vectors.T
    np.fill_diagonal(products, -np.inf)
    right = classes[np.argsort(-products, axis=1)[:, :-1]] == classes[:, None]
    precision = right.cumsum(axis=1) / np.arange(1, 72)
    wanted = {f"R@{k}": right[:, :k].any(axis=1).mean() for k in (1, 2, 4, 8)}
    wanted["MAP@R"] = (precision * right)[:, :11].sum(axis=1).mean() / 11
    wanted |= {"RP": right[:, :11].mean(), "mAP": (precision * right).sum(axis=1).mean() / 11}
    # After one epoch descriptors are nearly alike: a plain product rounds a few into another order.
    assert row[list(wanted)].astype(float).to_dict() == pytest.approx(wanted, abs=2 / 72)
    for shown in ("R@8", "RP", "trained_classes"):
        assert f"│ {shown} " in printed
    assert "trained the network" not in printed
    assert "there will be no scores" not in printed
    assert "filtered" not in printed


def test_the_report_says_what_was_searched(cars_run: tuple[Path, str]) -> None:
    folder, _ = cars_run
    html = newest(folder, "report.html", "08_reporting", "cars196").read_text()
    assert "test: leave one out" in html
    assert "each query photo searches all other query photos" in html
    assert "trained the network" not in html
    measured = newest(folder, "no_match_threshold.json", "06_models", "cars196").read_text()
    test = json.loads(measured)["splits"]["test"]
    assert (test["mated"], test["unknown"]) == (72, 0)
    attributes = pd.read_csv(newest(folder, "attributes.csv", "08_reporting", "cars196"))
    models = attributes[(attributes["split"] == "test") & (attributes["attribute"] == "model")]
    assert models["queries"].tolist() == [12] * 6
