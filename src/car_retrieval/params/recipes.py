"""Training parameters of the recipes of an ablation."""

import math
from collections.abc import Mapping
from typing import Any

from car_retrieval.params import TrainingParams


def changed(base: TrainingParams, changes: Mapping[str, Any]) -> TrainingParams:
    """Apply a recipe's changes to the training parameters.

    Augmentation changes are merged; every other value is replaced as a whole, so that a loss brings
    its own arguments.

    Raises:
        ValidationError: the result is invalid.
    """
    values = base.model_dump() | dict(changes)
    if base.augmentation and isinstance(values["augmentation"], Mapping):
        values["augmentation"] = base.augmentation.model_dump() | dict(values["augmentation"])
    return TrainingParams.model_validate(values)


def fitted(params: TrainingParams, photos: int, images: int) -> TrainingParams:
    """Set the number of epochs to train on a number of images.

    Whatever the sampler, an epoch has as many images as there are training photos, to within a
    batch. The learning-rate schedule is stretched to the number of epochs.
    """
    epochs = math.ceil(images / photos)
    stretch = epochs / params.epochs
    return params.model_copy(
        update={
            "epochs": epochs,
            "images_per_epoch": photos,
            "lr_shrink": params.lr_shrink ** (1 / stretch),
            "warmup_epochs": params.warmup_epochs * stretch,
        }
    )
