"""The project's own commands: `kedro run` with plain errors, and those that Kedro has not."""

import logging
import re
import warnings
from pathlib import Path
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


class Numbers(click.ParamType):
    """Whole numbers by a pattern of theirs, as a tuple.

    Args:
        name: shown in the help and in errors.
        pattern: whose groups are the numbers; one that is left out is the first again.
    """

    def __init__(self, name: str, pattern: str) -> None:
        self.name, self._pattern = name, pattern

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Read the numbers."""
        found = re.fullmatch(self._pattern, value.replace(" ", ""))
        if not found:
            self.fail(f"'{value}' is not {self.name}", param, ctx)
        first, *others = found.groups()
        return (int(first), *(int(first if other is None else other) for other in others))


YEARS = Numbers("2012 or 2010-2014", r"(\d{1,4})(?:-(\d{1,4}))?")
CROP = Numbers("x1,y1,x2,y2", ",".join([r"(\d{1,9})"] * 4))


@cli.command(cls=PlainErrorCommand)
@click.argument(
    "photos", nargs=-1, required=True, metavar="PHOTO...", type=click.Path(path_type=Path)
)
@click.option(
    "--k", type=click.IntRange(min=1), default=10, show_default=True, help="Matches of each."
)
@click.option("--method", type=click.Choice(["exact", "lopq"]), default="exact", show_default=True)
@click.option("--make", help="Only cars of this make.")
@click.option("--model", help="Only cars of this model.")
@click.option("--year", type=YEARS, metavar="YEARS", help="Only cars of 2012, or of 2010-2014.")
@click.option(
    "--crop", type=CROP, metavar="X1,Y1,X2,Y2", help="Search with this part, in pixels from 1."
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON a photo.")
@env_option
def search(
    photos: tuple[Path, ...],
    k: int,
    method: str,
    make: str | None,
    model: str | None,
    year: tuple[int, int] | None,
    crop: tuple[int, int, int, int] | None,
    as_json: bool,
    env: str | None,
) -> None:
    """Find the gallery's cars that are most like the one in a photo.

    It searches with the newest network and descriptors. A similarity in brackets is below the
    threshold for a match.
    """
    from car_retrieval.photo_search import search_photos
    from car_retrieval.serving.where import Where

    search_photos(photos, k, method, Where(make, model, year), crop, as_json, env)


@cli.command(cls=PlainErrorCommand)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--queries", type=click.Path(path_type=Path), help="Folder of query photos.")
@click.option("--classes", type=click.Path(path_type=Path), help="CSV of path and class.")
@click.option("--out", type=click.Path(path_type=Path), help="For lists; else `root` of --env.")
@click.option(
    "--query-ratio",
    type=click.IntRange(min=2),
    default=7,
    show_default=True,
    help="Without --queries, one photo in so many of each class becomes a query.",
)
@click.option(
    "--near-duplicates",
    type=click.IntRange(0, 7),
    default=5,
    show_default=True,
    help="Bits of 64 by which looks may differ and photos still stay together.",
)
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@click.option("--force", is_flag=True, help="Replace the lists of an earlier call.")
@click.option("--env", default="independent", show_default=True)
def index_folder(
    folder: Path,
    queries: Path | None,
    classes: Path | None,
    out: Path | None,
    query_ratio: int,
    near_duplicates: int,
    seed: int,
    force: bool,
    env: str,
) -> None:
    """List your own photos for `kedro run --env=independent`.

    The class of a photo is the folder it lies in, or what a CSV says. Photos stay where they are.
    """
    from car_retrieval import index_folder as command

    variable = f"INDEPENDENT_ROOT={out} " if out else ""
    if out is None:
        from kedro.framework.session import KedroSession

        context = KedroSession.create(env=env).load_context()
        root = Path(context.config_loader["globals"]["root"]).expanduser()
        out = Path(context.project_path) / root
    command.index_folder(
        folder, queries, classes, out, query_ratio, near_duplicates, seed, force, say=click.echo
    )
    click.echo(f"lists in {out}; next: {variable}kedro run --env={env} --pipelines=data_processing")


@cli.command(cls=PlainErrorCommand)
@click.argument("archives", type=click.Path(path_type=Path))
@click.argument("dest", type=click.Path(path_type=Path))
def compcars_unpack(archives: Path, dest: Path) -> None:
    """Unpack CompCars from the split archives in ARCHIVES to DEST; can be stopped and repeated.

    The password is read from the environment variable COMPCARS_PASSWORD.
    """
    from os import environ

    from car_retrieval.compcars_unpack import PASSWORD, unpack_compcars

    if not environ.get(PASSWORD):
        raise ValueError(
            f"set the environment variable {PASSWORD} to the password: the publisher states it "
            "beside the downloads, in instruction.txt"
        )
    unpack_compcars(archives, dest, environ[PASSWORD], say=click.echo)
    click.echo(f"next: COMPCARS_ROOT={dest} kedro run --env=compcars --pipelines=data_processing")


@cli.command(cls=PlainErrorCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0: all addresses.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8000, show_default=True)
@click.option(
    "--max-mb",
    type=click.FloatRange(min=0.001),
    default=20,
    show_default=True,
    help="Of an upload.",
)
@click.option(
    "--max-megapixels",
    type=click.FloatRange(min=0.001),
    default=50,
    show_default=True,
    help="Of a photo.",
)
@click.option(
    "--max-k", type=click.IntRange(min=1), default=100, show_default=True, help="Matches."
)
@click.option(
    "--max-requests", type=click.IntRange(min=1), default=32, show_default=True, help="At a time."
)
@env_option
def serve(
    host: str,
    port: int,
    max_mb: float,
    max_megapixels: float,
    max_k: int,
    max_requests: int,
    env: str | None,
) -> None:
    """Search by photo in the browser and over HTTP, in an environment's newest run.

    A newer run is picked up as soon as it is finished. CAR_RETRIEVAL_API_KEY sets a key that
    requests must bring.
    """
    try:
        from car_retrieval.serving.web.guard import Limits
        from car_retrieval.serving.web.serve import serve as run_service
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{error.name} is not installed: pip install -e '.[serve]' brings what is needed"
        ) from error
    limits = Limits(int(max_mb * 1e6), int(max_megapixels * 1e6), max_k, max_requests)
    run_service(env, host, port, limits)
