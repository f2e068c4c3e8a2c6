"""Commands of the project: `kedro run` with one-line errors, and additional commands."""

import warnings

from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import LazyGroup

from car_retrieval.cli.errors import PlainErrorCommand, hide_known_errors

MODULES = ("compcars_unpack", "gallery", "index_folder", "prune", "search", "serve", "tune")

# Kedro deprecates --pipeline in favour of --pipelines; both work here, without a warning.
warnings.filterwarnings("ignore", message="Option '--pipeline'")

hide_known_errors()

run = PlainErrorCommand(
    name="run",
    callback=kedro_run.callback,
    params=kedro_run.params,
    help=kedro_run.help,
    hidden=True,  # Kedro's own stands in `kedro --help`; this one is called
)
cli = LazyGroup(
    "car_retrieval",
    {"run": run},
    help="Commands of car_retrieval.",
    lazy_subcommands={
        name.replace("_", "-"): f"car_retrieval.cli.{name}.command" for name in MODULES
    },
)
