"""Train the network and choose its best epoch."""

from collections.abc import Iterator, Mapping

import pandas as pd
from matplotlib.figure import Figure

from car_retrieval.data.splits import check_trainable
from car_retrieval.io.matrix import Matrix
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet, network_of
from car_retrieval.params import TrainingParams
from car_retrieval.reporting import figures
from car_retrieval.training.early_stopping import best_epoch, score_of, stop_early
from car_retrieval.training.trainer import Trainer
from car_retrieval.training.untrained import untrained_checkpoint
from car_retrieval.training.validation import Validation


def train(
    gallery_images: Matrix,
    split: pd.DataFrame,
    valid_pairs: Matrix,
    previous: Mapping[int, Checkpoint],
    params: TrainingParams,
) -> Iterator[Checkpoint]:
    """Train the network.

    Args:
        gallery_images: packed gallery images.
        split: which of them train and which validate (Index, Class, split, Path, Hash).
        valid_pairs: verification pairs.
        previous: the newest run's checkpoints, to resume from.
        params: how to train.

    Returns:
        A generator of the state after each epoch; a resumed run begins with those it builds on,
        and a run with `patience` may end early. Without epochs it is the network as it is.
    """
    start = _start_epoch(previous, params)
    if params.epochs:
        check_trainable(split)
    rated = len(valid_pairs) > 0
    validation = Validation(gallery_images, split, valid_pairs[:], params.k) if rated else None
    if params.epochs == 0 or validation is None:
        return iter([untrained_checkpoint(split, gallery_images.shape[-1], params, validation)])
    trainer = Trainer(gallery_images, split, validation, params)
    if start >= 0:
        trainer.restore(previous[start])

    def states() -> Iterator[Checkpoint]:
        for epoch in range(start + 1):
            yield previous[epoch]
        yield from trainer.epochs(start + 1)

    return stop_early(states(), params.patience, params.select_by)


def report_training(
    checkpoints: Mapping[int, Checkpoint], params: TrainingParams
) -> tuple[pd.DataFrame, Figure]:
    """Tabulate and draw loss and validation scores over the epochs."""
    history = pd.DataFrame([checkpoints[epoch]["report"] for epoch in checkpoints])
    return history, figures.training_curves(history, score_of(history.columns, params.select_by))


def choose_best(
    checkpoints: Mapping[int, Checkpoint], training_history: pd.DataFrame, params: TrainingParams
) -> DescriptorNet:
    """The network of the epoch with the highest validation score, the earliest of equals."""
    return network_of(checkpoints[best_epoch(training_history, params.select_by)])


def _start_epoch(previous: Mapping[int, Checkpoint], params: TrainingParams) -> int:
    """The epoch to go on after; -1 for none."""
    if params.start_epoch == -1:
        return -1
    # From the newest down, so that few files are read.
    whole = (epoch for epoch in sorted(previous, reverse=True) if "optimizer" in previous[epoch])
    start = next(whole, -1) if params.start_epoch == "latest" else params.start_epoch
    if start >= 0 and not set(range(start + 1)) <= set(previous):
        found = ", ".join(map(str, previous)) or "none"
        raise ValueError(f"training.start_epoch = {start}: there are checkpoints of: {found}")
    stopped_after_last = start + 1 == params.epochs and params.start_epoch == "latest"
    if start + 1 >= params.epochs and not stopped_after_last:
        raise ValueError(
            f"training.start_epoch = {params.start_epoch}: nothing is left to train, "
            f"training.epochs = {params.epochs} counts the epochs of the whole run"
        )
    if start >= 0 and "optimizer" not in previous[start]:
        raise ValueError(
            f"training.start_epoch = {start}: only epoch {next(whole, 'none')} of the newest run "
            "can be resumed from; of the others the optimiser is not kept"
        )
    return start
