"""Provenance of a network: everything needed to reproduce its training."""

from typing import Any

import pytorch_metric_learning
import timm
import torch
import torchvision

import car_retrieval
from car_retrieval.params import TrainingParams


def provenance(params: TrainingParams, data: str) -> dict[str, Any]:
    """Return training parameters, library versions and the digest of the data."""
    libraries = (car_retrieval, torch, torchvision, timm, pytorch_metric_learning)
    return {
        "parameters": params.model_dump(mode="json"),
        "versions": {library.__name__: str(library.__version__) for library in libraries},
        "data": data,
    }
