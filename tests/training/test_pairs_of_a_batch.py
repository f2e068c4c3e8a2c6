"""A loss of pairs says what is missing in batches without a pair."""

import logging

import numpy as np
import pandas as pd
import pytest
import pytorch_metric_learning.losses
import torch
from tests.parameters import training_params
from torch import nn

from car_retrieval.metrics.verification import sample_pairs
from car_retrieval.training.losses import build_loss, needs_pairs
from car_retrieval.training.trainer import Trainer
from car_retrieval.training.validation import Validation

CLASSES, SIZE = 8, 16
OF_PROXIES = {
    *("ArcFaceLoss", "CosFaceLoss", "LargeMarginSoftmaxLoss", "NormalizedSoftmaxLoss"),
    *("ProxyAnchorLoss", "ProxyNCALoss", "SoftTripleLoss", "SphereFaceLoss"),
    "SubCenterArcFaceLoss",
}
NOT_OF_LABELS = {"VICRegLoss", "BaseMetricLossFunction"}


def buildable() -> list[str]:
    names = []
    for name, kind in vars(pytorch_metric_learning.losses).items():
        if isinstance(kind, type) and issubclass(kind, nn.Module) and name not in NOT_OF_LABELS:
            try:
                build_loss(name, {}, CLASSES, 8)
            except ValueError:  # it has arguments without a default
                continue
            names.append(name)
    return names


def trainer(loss: str, photos: int, **changes) -> Trainer:
    """Of classes with so many training photos each, and one that validates."""
    labels = np.repeat(np.arange(CLASSES), photos + 1)
    split = pd.DataFrame({"Index": range(len(labels)), "Class": labels})
    split["Hash"] = split["Index"].astype(str)
    split["split"] = np.where(split["Index"] % (photos + 1) == 0, "valid", "train")
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 3, SIZE, SIZE), np.uint8)
    by_index = split.set_index("Index")
    sides = (by_index[by_index["split"] == side]["Class"] for side in ("valid", "train"))
    validation = Validation(images, split, sample_pairs(*sides, 0), 1)
    wanted = {"epochs": 1, "batch_size": 4, "dimension": 8, "k": 1, "device": "cpu"}
    params = training_params(loss={"name": loss}, augmentation=None, **(wanted | changes))
    return Trainer(images, split, validation, params)


@pytest.mark.parametrize("name", buildable())
def test_a_loss_of_pairs_refuses_batches_of_one_photo_a_class(name: str) -> None:
    loss = build_loss(name, {}, CLASSES, 8)
    assert needs_pairs(loss) == (name not in OF_PROXIES)
    if name in OF_PROXIES:
        return
    with pytest.raises(ValueError, match=r"training.sampler to \{name: pk\}") as error:
        next(trainer(name, photos=1).epochs())
    assert "training.lr" not in str(error.value)


@pytest.mark.parametrize("name", ["CrossEntropy", "CosFaceLoss"])
def test_proxies_need_no_pairs(name: str) -> None:
    assert next(trainer(name, photos=1).epochs())["report"]["loss"] > 0


def test_a_loss_that_some_batches_spoil_says_why() -> None:
    torch.manual_seed(0)
    with pytest.raises(FloatingPointError, match="pk"):
        next(trainer("NCALoss", photos=3, batch_size=2).epochs())


def test_a_loss_of_zero_is_said(caplog) -> None:
    margin = {"name": "TripletMarginLoss", "args": {"margin": -3.0}}
    with caplog.at_level(logging.WARNING):
        own = trainer("TripletMarginLoss", photos=4, sampler={"name": "pk"})
        own.loss = build_loss(margin["name"], margin["args"], CLASSES, 8)
        next(own.epochs())
    assert "the loss is 0 in the whole of epoch 1" in caplog.text
