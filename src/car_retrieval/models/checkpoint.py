"""Everything that an epoch of training leaves behind."""

from typing import Any, TypedDict


class Checkpoint(TypedDict):
    """The state after an epoch, enough to go on from: plain values and tensors only.

    Attributes:
        config: what the network was built from.
        classes: the training classes in the order that the loss knows them.
        split: digest of the split and its photos, 16 hex digits.
        model: weights of the network.
        loss: weights of the loss.
        optimizer: state of the optimiser.
        report: epoch, loss, lr, images, seconds; and of the validation photos auc, eer, mAP@k, R@1.
    """

    config: dict[str, Any]
    classes: list[int]
    split: str
    model: dict[str, Any]
    loss: dict[str, Any]
    optimizer: dict[str, Any]
    report: dict[str, float]
