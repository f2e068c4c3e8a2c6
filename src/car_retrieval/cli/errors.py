"""Print errors about input as one line, without a traceback."""

import logging
import sys
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.io import DatasetError

log = logging.getLogger(__name__)

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


class PlainErrorCommand(click.Command):
    """A command that answers bad input with one line; the traceback is logged as DEBUG."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            cause = user_error(error)
            if cause is None:
                raise
            log.debug("the run stopped", exc_info=True)
            raise click.ClickException(str(cause)) from error
