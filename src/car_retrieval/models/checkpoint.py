"""Checkpoint of an epoch of training."""

from typing import Any, NotRequired, TypedDict


class Checkpoint(TypedDict):
    """State after an epoch, of plain values and tensors; training resumes from the latest.

    Attributes:
        config: configuration of the network.
        classes: training classes in the order of the loss.
        split: digest of the split and its photos, 16 hex digits.
        provenance: parameters and library versions, see `training.provenance`.
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
    loss: NotRequired[dict[str, Any]]
    optimizer: NotRequired[dict[str, Any]]
    trained: NotRequired[dict[str, Any]]
    averaged: NotRequired[int]
