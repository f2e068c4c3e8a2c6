"""One-line messages for input errors, without a traceback."""

import logging
import sys
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.io import DatasetError

log = logging.getLogger(__name__)

USER_ERRORS = (ValueError, OSError, FloatingPointError)

# Errors of Kedro itself without another cause: missing version or environment.
KEDRO_ERRORS = (DatasetError, MissingConfigException)

# These loggers log each error, and how to repeat the run.
TALKATIVE = (
    "kedro.pipeline.node",
    *(f"kedro.runner.{kind}_runner" for kind in ("sequential", "thread", "parallel")),
)


def user_error(error: BaseException | None) -> BaseException | None:
    """Return the innermost error about input rather than code, if any.

    Kedro wraps errors of datasets; the useful message is the inner one.
    """
    found = innermost = None
    while error is not None:
        innermost = error
        if isinstance(error, USER_ERRORS):
            found = error
        error = error.__cause__
    return found or (innermost if isinstance(innermost, KEDRO_ERRORS) else None)


def hide_known_errors() -> None:
    """Keep Kedro from logging input errors, which the command prints."""
    for name in TALKATIVE:
        logging.getLogger(name).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return user_error(sys.exc_info()[1]) is None


class PlainErrorCommand(click.Command):
    """Command that prints input errors as one line and logs the traceback as DEBUG."""

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
