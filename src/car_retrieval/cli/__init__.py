"""The project's own commands: `kedro run` with plain errors, and those that Kedro has not."""

import warnings

import click
from kedro.framework.cli.project import run as kedro_run

from car_retrieval.cli.collections import compcars_unpack, index_folder
from car_retrieval.cli.errors import hide_known_errors
from car_retrieval.cli.plain_errors import PlainErrorCommand
from car_retrieval.cli.results import prune, tune
from car_retrieval.cli.serve import search, serve

# Kedro deprecates --pipeline for --pipelines; both work here, and old habits need no scolding.
warnings.filterwarnings("ignore", message="Option '--pipeline'")

hide_known_errors()


@click.group(name="car_retrieval")
def cli() -> None:
    """Commands of car_retrieval."""


run = PlainErrorCommand(
    name="run", callback=kedro_run.callback, params=kedro_run.params, help=kedro_run.help
)
for command in (run, prune, tune, search, serve, index_folder, compcars_unpack):
    cli.add_command(command)
