"""Everything that an epoch of training leaves behind."""

from typing import Any, NotRequired, TypedDict


class Checkpoint(TypedDict):
    """State after an epoch: plain values and tensors only; training resumes from the last one.

    Attributes:
        config: what the network was built from.
        classes: the training classes in the order that the loss knows them.
        split: digest of the split and its photos, 16 hex digits.
        provenance: parameters and library versions, see `training.provenance`.
        model: weights of the network, or their average.
        report: epoch, loss, lr, images, seconds; and of the validation photos auc, eer, mAP@k,
            MAP@R, R@1.
        loss: weights of the loss, and its memory.
        optimizer: state of the optimiser.
        trained: weights of the network, where `model` is their average.
        averaged: steps in that average.
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
