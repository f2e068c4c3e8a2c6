"""Take a pretrained network as it is."""

import pandas as pd
from matplotlib.figure import Figure

from car_retrieval.io.matrix import Matrix
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet, network_of
from car_retrieval.params import TrainingParams
from car_retrieval.reporting.figures import training_curves
from car_retrieval.training.untrained import untrained_checkpoint


def take_network(
    gallery_images: Matrix, split: pd.DataFrame, params: TrainingParams
) -> tuple[list[Checkpoint], DescriptorNet, pd.DataFrame, Figure]:
    """The pretrained network as it is: its one checkpoint, which nothing rates, and itself.

    Returns:
        `checkpoints`, `model`, `training_history` and `training_curves`.
    """
    checkpoint = untrained_checkpoint(split, gallery_images.shape[-1], params)
    history = pd.DataFrame([checkpoint["report"]])
    return [checkpoint], network_of(checkpoint), history, training_curves(history)
