"""Best-epoch selection and early stopping."""

import logging
from collections.abc import Iterable, Iterator

import pandas as pd

from car_retrieval.models.checkpoint import Checkpoint

log = logging.getLogger(__name__)


CHANCE = "chance R@1"
"""Column of the largest R@1 that chance explains: `metrics.chance.chance_of_first_hit`."""


def at_chance(history: pd.DataFrame) -> str | None:
    """A line for readers where in no epoch the validation's R@1 was above chance; else None.

    Args:
        history: a row an epoch: R@1 and, since it is reported, `CHANCE`.
    """
    if CHANCE not in history or (history["R@1"] > history[CHANCE]).any():
        return None
    return (
        f"validation is at chance: R@1 is at most {history['R@1'].max():.3f}, and a random search "
        f"reaches {history[CHANCE].max():.3f} (mean plus 3 standard errors): check the classes of "
        "the photos, then training.weights, lr and epochs"
    )


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
