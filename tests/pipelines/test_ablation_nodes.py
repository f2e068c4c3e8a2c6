"""The ablation's nodes: what is trained, what is skipped, what is compared."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from tests.parameters import ablation_params, evaluation_params, training_params

from car_retrieval.data.fingerprint import digest
from car_retrieval.data.protocols import valid_protocol
from car_retrieval.datasets.run_results import RunResultsDataset
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.metrics.verification import sample_pairs
from car_retrieval.params import TrainingParams
from car_retrieval.pipelines.ablation import create_pipeline
from car_retrieval.training import ablation as craft
from car_retrieval.training.provenance import provenance

CLASSES, PHOTOS = 3, 6
TRAINING = training_params(epochs=2, batch_size=6, dimension=8, k=5, device="cpu")
RECIPES: dict[str, Any] = {"default": {}, "plain": {"augmentation": None}}

Run = Callable[..., dict[str, Any]]


def photos(rows: int) -> pd.DataFrame:
    table = pd.DataFrame({"Path": [f"{row}.jpg" for row in range(rows)], "Index": range(rows)})
    return table.assign(Hash=table["Path"], Class=table["Index"] % CLASSES)


def packed(path: Path, table: pd.DataFrame) -> Matrix:
    pixels = np.random.default_rng(0).integers(0, 200, (CLASSES, 3, 32, 32), np.uint8)
    noise = np.random.default_rng(len(table)).integers(0, 50, (len(table), 3, 32, 32), np.uint8)
    attributes = {"photos": digest(table)}
    write_matrix(path, MatrixStream([pixels[table["Class"]] + noise], attributes))
    return Matrix(path)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The runs that were trained; instead of training, they are each given scores by their seed."""
    begun: list[tuple[str, int]] = []
    scores = {"mAP@5": 0.1, "R@1": 0.2, "MAP@R": 0.3}

    def pretending(recipe: craft.Recipe, seed: int, *data: Any) -> craft.Result:
        begun.append((recipe.name, seed))
        params = recipe.params.model_copy(update={"seed": seed})
        own = {name: score * seed for name, score in scores.items()}
        epoch = {"epoch": 0, "images": 15, "seconds": 1.0, "cpu_seconds": 1.0} | own
        about = {"recipe": recipe.name, "seed": seed, "seconds_limit": None, "history": [epoch]}
        return epoch | about | {"valid": epoch, "test": own} | provenance(params, recipe.data)

    monkeypatch.setattr(craft, "train", pretending)
    return begun


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the pipeline on a tiny collection; its results stay in one folder."""
    gallery, queries = photos(CLASSES * PHOTOS), photos(CLASSES)
    split = gallery.assign(split=np.where(gallery["Index"] < CLASSES, "valid", "train"))
    pairs = sample_pairs(*valid_protocol(split), seed=0)
    images = {"gallery_images": packed(tmp_path / "i.npy", gallery)}
    images["query_images"] = packed(tmp_path / "t.npy", queries)

    def once(training: TrainingParams = TRAINING, **ablation: Any) -> dict[str, Any]:
        params = ablation_params(**({"recipes": RECIPES} | ablation))
        given = images | {"split": split, "valid_pairs": pairs, "query_photos": queries}
        given |= {"params:training": training, "params:ablation": params}
        given |= {"params:evaluation": evaluation_params()}
        catalog = DataCatalog({name: MemoryDataset(data) for name, data in given.items()})
        for name in ("ablation_runs", "previous_ablation_runs"):
            catalog[name] = RunResultsDataset(str(tmp_path / "runs"))
        SequentialRunner().run(create_pipeline(), catalog)
        return {
            name: catalog.load(name)
            for name in ("ablation_runs", "ablation_table", "ablation_curves", "ablation_scores")
        }

    return once


def test_it_trains(run: Run) -> None:
    results = run()
    assert set(results["ablation_runs"]) == {"default-7", "plain-7"}
    table = results["ablation_table"].set_index("recipe")
    for metric in ("mAP@5", "R@1", "MAP@R"):
        own = results["ablation_runs"]["plain-7"]["test"][metric]
        assert 0 < own <= 1
        assert table.loc["plain", f"test {metric}"] == pytest.approx(own)


def test_every_recipe_and_seed(run: Run, trained: list) -> None:
    results = run(runs=2)
    assert trained == [("default", 7), ("plain", 7), ("default", 8), ("plain", 8)]
    assert set(results["ablation_runs"]) == {f"{name}-{seed}" for name, seed in trained}
    table = results["ablation_table"].set_index("recipe")
    assert table["runs"].to_dict() == {"default": 2, "plain": 2}
    assert table.loc["plain", "test R@1"] == pytest.approx(0.2 * 7.5)


def test_what_is_done_is_not_done_again(run: Run, trained: list) -> None:
    first = run()["ablation_table"]
    trained.clear()
    pd.testing.assert_frame_equal(run()["ablation_table"], first)
    assert trained == []
    run(runs=2, only="plain")
    assert trained == [("plain", 8)]


def test_a_changed_recipe_is_trained_anew(run: Run, trained: list) -> None:
    run()
    trained.clear()
    changed = RECIPES | {"plain": {"augmentation": None, "lr": 0.5}}
    assert len(run(recipes=changed)["ablation_runs"]) == 2
    assert trained == [("plain", 7)]
    trained.clear()
    run(TRAINING.model_copy(update={"weight_decay": 0.3}), recipes=changed)
    assert trained == [("default", 7), ("plain", 7)]


def test_a_killed_ablation_keeps_what_it_had(
    run: Run, trained: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    noting = craft.train

    def killed(recipe: craft.Recipe, *data: Any) -> craft.Result:
        if recipe.name == "plain":
            raise KeyboardInterrupt
        return noting(recipe, *data)

    monkeypatch.setattr(craft, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        run()
    monkeypatch.setattr(craft, "train", noting)
    trained.clear()
    assert set(run()["ablation_runs"]) == {"default-7", "plain-7"}
    assert trained == [("plain", 7)]


def test_runs_of_other_recipes_are_not_compared(run: Run, trained: list) -> None:
    run(runs=2)
    table = run(recipes=RECIPES | {"plain": {"lr": 0.5}})["ablation_table"].set_index("recipe")
    assert table["runs"].to_dict() == {"default": 2, "plain": 1}
    assert list(run(recipes={"default": {}})["ablation_table"]["recipe"]) == ["default"]
