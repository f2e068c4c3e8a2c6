"""Recipes: what an ablation changes in the parameters of training, for as many images each."""

import math
from collections.abc import Mapping
from typing import Any

from car_retrieval.params import TrainingParams


def changed(base: TrainingParams, changes: Mapping[str, Any]) -> TrainingParams:
    """The parameters of training with a recipe's changes.

    Of the augmentation a recipe names what differs. All else is replaced as a whole: a loss brings
    its own arguments.

    Raises:
        ValidationError: the result is not one of training.
    """
    values = base.model_dump() | dict(changes)
    if base.augmentation and isinstance(values["augmentation"], Mapping):
        values["augmentation"] = base.augmentation.model_dump() | dict(values["augmentation"])
    return TrainingParams.model_validate(values)


def fitted(params: TrainingParams, photos: int, images: int) -> TrainingParams:
    """The parameters for as many epochs as it takes to see so many images.

    Whatever the sampler, an epoch shows as many images as there are photos to train on, to a batch.
    The learning rate is stretched with the epochs: over the whole run it takes the same course.
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
