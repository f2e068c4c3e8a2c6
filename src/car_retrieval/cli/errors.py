"""Which errors are about input rather than code: their one line is all that a user reads."""

import logging
import sys

from kedro.config import MissingConfigException
from kedro.io import DatasetError

USER_ERRORS = (ValueError, OSError, FloatingPointError)

# Kedro's own words, where nothing else went wrong: no such version, no such environment.
KEDRO_ERRORS = (DatasetError, MissingConfigException)

# They log each error that passes, and how to repeat the run.
TALKATIVE = (
    "kedro.pipeline.node",
    *(f"kedro.runner.{kind}_runner" for kind in ("sequential", "thread", "parallel")),
)


def user_error(error: BaseException | None) -> BaseException | None:
    """The innermost error that is about input rather than code, if any.

    Kedro wraps what a dataset raises; the message worth reading is inside.
    """
    found = innermost = None
    while error is not None:
        innermost = error
        if isinstance(error, USER_ERRORS):
            found = error
        error = error.__cause__
    return found or (innermost if isinstance(innermost, KEDRO_ERRORS) else None)


def hide_known_errors() -> None:
    """Let Kedro log nothing while an error about input passes: the command says it."""
    for name in TALKATIVE:
        logging.getLogger(name).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return user_error(sys.exc_info()[1]) is None
