"""Commands that answer bad input with one line."""

import logging
from typing import Any

import click

from car_retrieval.cli.errors import user_error

log = logging.getLogger(__name__)


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
