"""Everything that an epoch of training leaves behind."""

from typing import Any, NotRequired, TypedDict


class Checkpoint(TypedDict):
    """The state after an epoch: plain values and tensors only; with the last two, to go on from.

    Attributes:
        config: what the network was built from.
        classes: the training classes in the order that the loss knows them.
        split: digest of the split and its photos, 16 hex digits.
        model: weights of the network.
        report: epoch, loss, lr, images, seconds; and of the validation photos auc, eer, mAP@k, R@1.
        loss: weights of the loss.
        optimizer: state of the optimiser.
    """

    config: dict[str, Any]
    classes: list[int]
    split: str
    model: dict[str, Any]
    report: dict[str, float]
    loss: NotRequired[dict[str, Any]]
    optimizer: NotRequired[dict[str, Any]]
