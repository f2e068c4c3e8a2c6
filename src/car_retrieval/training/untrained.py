"""Untrained networks, whose descriptors are the pooled features of a backbone."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd
import torch

from car_retrieval.data.fingerprint import digest
from car_retrieval.data.known_photos import KnownPhotos
from car_retrieval.models.checkpoint import Checkpoint, tensors_of
from car_retrieval.models.descriptor import DescriptorNet, config_of, pick_device
from car_retrieval.params import TrainingParams
from car_retrieval.training.provenance import provenance
from car_retrieval.training.validation import Validation

log = logging.getLogger(__name__)

PRETRAINED = "pretrained network, not trained on these photos"
RANDOM = "random network, not trained at all"


def untrained_network(params: TrainingParams, image_size: int, data: str) -> DescriptorNet:
    """Build a network of backbone and pooling; warn if its weights are random.

    Args:
        params: parameters of the network and its weights; others are ignored.
        image_size: side of the photos in pixels.
        data: digest of the photos to encode.
    """
    params = params.model_copy(update={"epochs": 0})
    if params.weights is None:
        log.warning(
            "the network and its descriptors are random: training.epochs is 0 and training.weights "
            "null; set training.weights to imagenet or a file"
        )
    with torch.random.fork_rng():
        torch.manual_seed(params.seed)
        net = DescriptorNet(config_of(params, image_size), params.weights)
    net.provenance = provenance(params, data)
    return net.eval()


def untrained_checkpoint(
    split: pd.DataFrame,
    image_size: int,
    params: TrainingParams,
    validation: Validation | None = None,
) -> Checkpoint:
    """Build the checkpoint of a run without epochs, without a loss.

    Args:
        split: Index, Class, split, Hash and other columns of the photos.
        image_size: side of the photos in pixels.
        params: see `untrained_network`.
        validation: validation of the network; None: it is not rated.
    """
    if params.dimension is not None and validation:
        log.warning(
            "without training there is no projection to training.dimension = %d: to reduce the "
            "dimension, set encoding.whitening to {kind: pca, dimension: %d}",
            *(params.dimension, params.dimension),
        )
    data = digest(split, split.columns.tolist())
    net = untrained_network(params, image_size, data)
    report: dict[str, float] = {"epoch": 0, "images": 0}
    if validation:
        report |= validation(net.to(pick_device(params.device)))
    return {
        "config": asdict(net.config),
        "classes": [],
        "split": data,
        "provenance": net.provenance,
        "model": net.state_dict(),
        "report": report,
        "photos": tensors_of(KnownPhotos.of(split, trained=False)),
    }


def untrained(made_with: Mapping[str, Any]) -> str | None:
    """Return a one-line notice that a network was not trained on the photos.

    Args:
        made_with: provenance of the network.

    Returns:
        Notice; None for a trained network.
    """
    params = made_with.get("parameters", {})
    if params.get("epochs") != 0:
        return None
    return RANDOM if params["weights"] is None else PRETRAINED
