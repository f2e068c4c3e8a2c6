"""Best-epoch selection and early stopping."""

import logging
from collections.abc import Iterable, Iterator

import pandas as pd

from car_retrieval.models.checkpoint import Checkpoint

log = logging.getLogger(__name__)


CHANCE = "chance R@1"
"""Column of the largest R@1 expected by chance: `metrics.chance.chance_of_first_hit`."""


def at_chance(history: pd.DataFrame) -> str | None:
    """Return a warning if validation R@1 was never above chance, else None.

    Few photos can be all right by chance, and show nothing.

    Args:
        history: one row per epoch: R@1 and, except in old versions, `CHANCE`.
    """
    if CHANCE not in history or (history["R@1"] > history[CHANCE]).any():
        return None
    if not (history[CHANCE] < 1).all():
        return None
    return (
        f"validation is at chance: R@1 is at most {history['R@1'].max():.3f}, and a random search "
        f"reaches {history[CHANCE].max():.3f} (mean plus 3 standard errors): check the classes of "
        "the photos, then training.weights, training.lr and training.epochs"
    )


def score_of(columns: Iterable[str], select_by: str) -> str:
    """Return the score column for `select_by`: mAP@k with its k, or MAP@R."""
    return next(name for name in columns if name == select_by or name.startswith(select_by[:-1]))


def best_epoch(history: pd.DataFrame, select_by: str) -> int:
    """Return the epoch with the highest validation score, the earliest of ties.

    Args:
        history: one row per epoch: epoch, mAP@k, MAP@R.
        select_by: `mAP@k` or `MAP@R`.
    """
    return int(history["epoch"].iloc[history[score_of(history.columns, select_by)].argmax()])


def stop_early(
    checkpoints: Iterable[Checkpoint], patience: int | None, select_by: str
) -> Iterator[Checkpoint]:
    """Yield epochs until `patience` in a row have not improved the best score; None: all."""
    best, since = float("-inf"), 0
    for checkpoint in checkpoints:
        report = checkpoint["report"]
        score = report[score_of(report, select_by)]
        best, since = (score, 0) if score > best else (best, since + 1)
        yield checkpoint
        if since == patience:
            log.info(
                "stopped early by training.patience = %d: no improvement of %s", patience, select_by
            )
            return
