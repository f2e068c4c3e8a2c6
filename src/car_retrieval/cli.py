"""The project's own commands: `kedro run` with plain error messages, and `kedro prune`."""

import logging
import warnings
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import env_option

from car_retrieval.user_errors import hide_known_errors, user_error

# Kedro deprecates --pipeline for --pipelines; both work here, and old habits need no scolding.
warnings.filterwarnings("ignore", message="Option '--pipeline'")

hide_known_errors()

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


@click.group(name="car_retrieval")
def cli() -> None:
    """Commands of car_retrieval."""


run = PlainErrorCommand(
    name="run", callback=kedro_run.callback, params=kedro_run.params, help=kedro_run.help
)
cli.add_command(run)


@cli.command(cls=PlainErrorCommand)
@click.option("--keep", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@env_option
def prune(keep: int, dry_run: bool, env: str | None) -> None:
    """Delete all but the newest versions of every dataset of an environment.

    What killed runs left half-written is deleted too: do not prune while a run is at work.
    """
    from kedro.framework.session import KedroSession

    from car_retrieval.prune import by_version, delete, project_datasets, prunable, size_of

    context = KedroSession.create(env=env).load_context()
    paths = prunable(project_datasets(context.catalog), keep)
    size = sum(map(size_of, paths))
    doing = "would delete" if dry_run else "deleting"
    for what, together in by_version(paths).items():
        megabytes = sum(map(size_of, together)) / 1e6
        click.echo(f"{doing} {what}, {megabytes:,.1f} MB")
    if not dry_run:
        delete(paths)
    verb = "would delete" if dry_run else "deleted"
    click.echo(f"{verb} {size / 1e6:,.1f} MB in all")
