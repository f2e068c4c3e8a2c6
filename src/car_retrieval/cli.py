"""The project's own commands: `kedro run` with plain errors, `kedro prune`, `kedro tune`."""

import logging
import re
import warnings
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import env_option
from kedro.io import DatasetError
from kedro.validation.exceptions import ParameterValidationError

# Kedro deprecates --pipeline for --pipelines; both work here, and old habits need no scolding.
warnings.filterwarnings("ignore", message="Option '--pipeline'")

log = logging.getLogger(__name__)

USER_ERRORS = (ValueError, OSError, FloatingPointError, ParameterValidationError)

# Kedro's own words, where nothing else went wrong: no version to load, no such environment.
KEDRO_ERRORS = (DatasetError, MissingConfigException)


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
            raise click.ClickException(plain_message(cause)) from error


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


def plain_message(error: BaseException) -> str:
    """The error's message; of wrong parameters only which they are and what is wrong."""
    message = str(error)
    if not isinstance(error, ParameterValidationError):
        return message
    lines = []
    for part in message.split("- Parameter ")[1:]:
        group = part.split("'")[1]
        found = re.findall(r"^(\S+)\n  (.+?) \[type=", part, re.MULTILINE)
        found += [("", text) for text in re.findall(r"^  (.+?) \[type=", part, re.M) if not found]
        lines += [f"{group}.{name}: {what}" if name else f"{group}: {what}" for name, what in found]
    return "parameters: " + "; ".join(lines) if lines else message


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

    from car_retrieval.prune import delete, project_datasets, prunable, size_of

    context = KedroSession.create(env=env).load_context()
    paths = prunable(project_datasets(context.catalog), keep)
    size = sum(map(size_of, paths))
    project = context.project_path
    for path in paths:
        shown = path.relative_to(project) if path.is_relative_to(project) else path
        click.echo(f"{'would delete' if dry_run else 'deleting'} {shown}")
    if not dry_run:
        delete(paths)
    verb = "would delete" if dry_run else "deleted"
    click.echo(f"{verb} {len(paths)} versions or leftovers, {size / 1e6:,.1f} MB")


@cli.command(cls=PlainErrorCommand)
@click.option("--recall", type=float, default=0.95, show_default=True, help="Of exact search's.")
@click.option("--bytes", "code_bytes", type=int, default=32, show_default=True, help="Of a code.")
@click.option("--k", type=int, default=20, show_default=True, help="Neighbours wanted.")
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@env_option
def tune(recall: float, code_bytes: int, k: int, seed: int, env: str | None) -> None:
    """Find the fastest LOPQ setting for an environment's newest descriptors.

    Gallery photos are searched for the query photos, exactly and compressed; the parameters that
    reach the recall soonest are printed, to paste.
    """
    from kedro.framework.session import KedroSession

    from car_retrieval.search.tune import tune as measure
    from car_retrieval.tuning_report import print_tuning

    catalog = KedroSession.create(env=env).load_context().catalog
    for name in ("database", "tdatabase"):
        if not catalog.exists(name):
            chosen = f" --env={env}" if env else ""
            raise ValueError(
                f"there are no descriptors {name} to tune with: run `kedro run --pipelines="
                f"encoding{chosen}` first, or `kedro run{chosen}` where nothing is trained yet"
            )
    gallery, queries = catalog.load("database"), catalog.load("tdatabase")
    if gallery.attributes.get("encoder") != queries.attributes.get("encoder"):
        raise ValueError(
            "database and tdatabase were not encoded alike: run the pipeline encoding again"
        )
    print_tuning(measure(gallery, queries, k, recall, code_bytes, seed), k, recall)
