"""Checkpoint of an epoch of training."""

from typing import Any, NotRequired, TypedDict

import torch

from car_retrieval.data.known_photos import KnownPhotos


class Checkpoint(TypedDict):
    """State after an epoch, of plain values and tensors; training resumes from the latest.

    Attributes:
        config: configuration of the network.
        classes: training classes in the order of the loss.
        split: digest of the split and its photos, 16 hex digits.
        provenance: parameters and library versions, see `training.provenance`.
        photos: `train` and `other` of `KnownPhotos`, int64; older checkpoints have none.
        model: weights of the network, or their EMA.
        report: epoch, loss, lr, images, seconds; and AUC, EER, mAP@k, MAP@R, R@1 of the validation.
        loss: weights and memory of the loss.
        optimizer: state of the optimizer.
        trained: weights of the network if `model` is their EMA.
        averaged: number of steps in the EMA.
    """

    config: dict[str, Any]
    classes: list[int]
    split: str
    provenance: dict[str, Any]
    model: dict[str, Any]
    report: dict[str, float]
    photos: NotRequired[dict[str, Any]]
    loss: NotRequired[dict[str, Any]]
    optimizer: NotRequired[dict[str, Any]]
    trained: NotRequired[dict[str, Any]]
    averaged: NotRequired[int]


def tensors_of(photos: KnownPhotos) -> dict[str, Any]:
    """Convert known photos to the entry `photos` of a checkpoint."""
    known = {"train": photos.train, "other": photos.other}
    return {name: torch.from_numpy(keys) for name, keys in known.items()}
