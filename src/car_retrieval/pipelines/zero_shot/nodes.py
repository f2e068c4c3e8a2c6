"""Describe photos, with or without classes, without training."""

from dataclasses import asdict
from typing import Any

import pandas as pd

from car_retrieval.data.fingerprint import digest
from car_retrieval.data.splits import TRAIN
from car_retrieval.io.matrix import Matrix
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.params import TrainingParams
from car_retrieval.training.untrained import untrained_network


def report_gallery(
    gallery: pd.DataFrame, problems: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """List every problem with its photo, and count each kind."""
    report = {
        "photos": len(gallery),
        "classes": int(gallery["Class"].nunique()),
        "problems": problems["Problem"].value_counts().to_dict(),
    }
    return problems.assign(Collection="gallery"), {"gallery": report}


def take_network(
    gallery_images: Matrix, gallery: pd.DataFrame, params: TrainingParams
) -> tuple[list[Checkpoint], DescriptorNet]:
    """The pretrained network as it is: its one checkpoint, which nothing rates, and itself."""
    net = untrained_network(params, gallery_images.shape[-1], digest(gallery))
    checkpoint: Checkpoint = {
        "config": asdict(net.config),
        "classes": [],
        "split": net.provenance["data"],
        "provenance": net.provenance,
        "model": net.state_dict(),
        "report": {"epoch": 0, "images": 0},
    }
    return [checkpoint], net


def train_on_all(gallery: pd.DataFrame) -> pd.DataFrame:
    """A split to fit the whitening with: no class is needed, and no photo is kept for a test."""
    return gallery.assign(split=TRAIN)
