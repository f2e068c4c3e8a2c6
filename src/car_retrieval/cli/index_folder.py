"""`kedro index-folder`: list the photos of user folders, without copying them."""

import os
import shlex
from pathlib import Path
from typing import Any

import click
from kedro.framework.session import KedroSession

from car_retrieval.cli.earlier_lists import Draw
from car_retrieval.cli.errors import PlainErrorCommand
from car_retrieval.cli.folder_list_writer import index_folder


class Ratio(click.ParamType):
    """An integer of at least 2, or `none`."""

    name = "integer|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> int | None:
        """Read the option; None for `none`."""
        if value == "none":
            return None
        return click.IntRange(min=2).convert(value, param, ctx)


@click.command("index-folder", cls=PlainErrorCommand)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--queries", type=click.Path(path_type=Path), help="Folder of query photos.")
@click.option(
    "--classes", type=click.Path(path_type=Path), help="CSV with the columns path and class."
)
@click.option(
    "--unlabelled",
    is_flag=True,
    help="Ignore folders: photos without classes, described by the pretrained network.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the lists; default: `root` of --env."
)
@click.option(
    "--query-ratio",
    type=Ratio(),
    default=7,
    show_default=True,
    help="Without --queries: photos of a class per query drawn from it; none: no queries.",
)
@click.option(
    "--draw-new",
    is_flag=True,
    help="If there are lists: draw queries among new photos, too, which else join the gallery.",
)
@click.option(
    "--near-duplicates",
    type=click.IntRange(0, 7),
    default=5,
    show_default=True,
    help="Largest Hamming distance of the 64-bit hashes of near-duplicates, which stay together.",
)
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@click.option("--force", is_flag=True, help="Replace the lists, and draw the queries again.")
@click.option("--env", default="independent", show_default=True)
def command(
    folder: Path,
    queries: Path | None,
    classes: Path | None,
    unlabelled: bool,
    out: Path | None,
    query_ratio: int | None,
    draw_new: bool,
    near_duplicates: int,
    seed: int,
    force: bool,
    env: str,
) -> None:
    """List your own photos for `kedro run --env=independent`.

    The class of a photo is its folder, or is given in a CSV; photos of a folder without folders
    have none. Photos are not moved or copied. If there are lists already, gallery photos and
    queries stay what they are, and new photos join the gallery.
    """
    if unlabelled and (queries or classes):
        raise ValueError("--unlabelled excludes --queries and --classes")
    variable = f"INDEPENDENT_ROOT={shlex.quote(str(out))} " if out else ""
    if out is None:
        context = KedroSession.create(env=env).load_context()
        root = Path(context.config_loader["globals"]["root"]).expanduser()
        out = Path(context.project_path) / root
    draw = Draw(query_ratio, near_duplicates, seed, draw_new)
    count = index_folder(folder, queries, classes, unlabelled, out, draw, force, say=click.echo)
    if count == 0:
        _describe(env, out if variable else None)
        click.echo(f"next: {variable}kedro search PHOTO --env={env}")
        return
    if count == 1:
        click.echo("one class: nothing can be trained, but photos can be described and searched")
    pipelines = " --pipelines=zero_shot" if count == 1 else ""
    click.echo(f"lists in {out}; next: {variable}kedro run{pipelines} --env={env}")


def _describe(env: str, root: Path | None) -> None:
    """Run the pipeline zero_shot; `root`: folder of the lists, if not that of the environment."""
    if root:
        os.environ["INDEPENDENT_ROOT"] = str(root)
    KedroSession.create(env=env).run(pipeline_names=["zero_shot"])
