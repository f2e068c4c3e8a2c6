"""Which epoch is the best, and when no better one is to be hoped for."""

import logging
from collections.abc import Iterable, Iterator

import pandas as pd

from car_retrieval.models.checkpoint import Checkpoint

log = logging.getLogger(__name__)


def score_of(columns: Iterable[str], select_by: str) -> str:
    """The column of validation scores that `select_by` means: mAP@k with its k, or MAP@R."""
    return next(name for name in columns if name == select_by or name.startswith(select_by[:-1]))


def best_epoch(history: pd.DataFrame, select_by: str) -> int:
    """The epoch with the highest validation score, the earliest of equals.

    Args:
        history: a row an epoch: epoch, mAP@k, MAP@R.
        select_by: `mAP@k` or `MAP@R`.
    """
    return int(history["epoch"].iloc[history[score_of(history.columns, select_by)].argmax()])


def stop_early(
    checkpoints: Iterable[Checkpoint], patience: int | None, select_by: str
) -> Iterator[Checkpoint]:
    """Pass on the epochs until so many in a row have not been better than the best; None: all."""
    best, since = float("-inf"), 0
    for checkpoint in checkpoints:
        report = checkpoint["report"]
        score = report[score_of(report, select_by)]
        best, since = (score, 0) if score > best else (best, since + 1)
        yield checkpoint
        if since == patience:
            log.info("training.patience = %d ends the training: no better %s", patience, select_by)
            return
