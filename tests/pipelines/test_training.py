"""Training as nodes: resuming, early stopping, the best epoch."""

from dataclasses import asdict

import numpy as np
import pytest
from tests.parameters import training_params
from tests.pipelines.made_up import photos

from car_retrieval.io.matrix import Matrix
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.pipelines.training import nodes as training


@pytest.mark.parametrize(
    ("start", "epochs", "message"),
    [(3, 9, "there are checkpoints of: 0, 1"), (1, 2, "nothing is left to train")],
)
def test_resuming_where_nothing_is(start: int, epochs: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        training._start_epoch({0: {}, 1: {}}, training_params(start_epoch=start, epochs=epochs))  # type: ignore


def test_resuming_from_an_epoch_without_its_optimiser() -> None:
    previous = {0: {}, 1: {"optimizer": {}}, 2: {}}
    latest = training_params(start_epoch="latest", epochs=9)
    assert training._start_epoch(previous, latest) == 1  # type: ignore
    with pytest.raises(ValueError, match=r"start_epoch = 0: only epoch 1 of the newest run can"):
        training._start_epoch(previous, training_params(start_epoch=0, epochs=9))  # type: ignore
    assert training._start_epoch({}, latest) == -1


@pytest.mark.parametrize(("select_by", "epoch"), [("mAP@k", 1), ("MAP@R", 2)])
def test_the_best_epoch_is_chosen_and_drawn(select_by: str, epoch: int) -> None:
    scores = {"mAP@5": [0.1, 0.4, 0.3], "MAP@R": [0.1, 0.2, 0.3]}
    net = DescriptorNet(DescriptorConfig("resnet18", 8, 32))
    state = {"config": asdict(net.config), "model": net.state_dict(), "provenance": {}}
    checkpoints: dict = {
        n: state | {"report": {"epoch": n, "loss": 1.0} | {s: v[n] for s, v in scores.items()}}
        for n in range(3)
    }
    params = training_params(select_by=select_by)
    history, figure = training.report_training(checkpoints, params)
    name = {"mAP@k": "mAP@5"}.get(select_by, select_by)
    assert figure.get_suptitle().startswith(f"Best {name}: {scores[name][epoch]:.3f} at epoch")
    best = training.choose_best(checkpoints, history, params)
    assert best.provenance["report"]["epoch"] == epoch


def test_training_ends_early(packed: Matrix) -> None:
    """Photos without content: no epoch is better than the first, also after a resumed one."""
    params = training_params(dimension=8, epochs=5, patience=2, augmentation=None)
    split = photos(10).assign(split=["train"] * 5 + ["valid"] * 5)
    pairs = np.array([(5, 0, 1), (5, 1, 0)])
    found = {
        state["report"]["epoch"]: state
        for state in training.train(packed, split, pairs, {}, params)  # type: ignore
    }
    assert list(found) == [0, 1, 2]
    killed_since = params.model_copy(update={"start_epoch": "latest", "epochs": 3})
    resumed = training.train(packed, split, pairs, found, killed_since)  # type: ignore
    assert list(resumed) == list(found.values())
    del found[2]
    again = params.model_copy(update={"start_epoch": 1})
    resumed = training.train(packed, split, pairs, found, again)  # type: ignore
    assert [state["report"]["epoch"] for state in resumed] == [0, 1, 2]
