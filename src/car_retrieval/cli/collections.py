"""`kedro index-folder` and `kedro compcars-unpack`: where photos come from."""

import shlex
from pathlib import Path

import click

from car_retrieval.cli.plain_errors import PlainErrorCommand


@click.command(cls=PlainErrorCommand)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--queries", type=click.Path(path_type=Path), help="Folder of query photos.")
@click.option("--classes", type=click.Path(path_type=Path), help="CSV of path and class.")
@click.option(
    "--unlabelled",
    is_flag=True,
    help="Photos without classes: describe them by the pretrained network, ready for kedro search.",
)
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
    unlabelled: bool,
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
    if unlabelled and (queries or classes):
        raise ValueError("--unlabelled goes with neither --queries nor --classes")
    import car_retrieval.cli.index_folder as command

    variable = f"INDEPENDENT_ROOT={shlex.quote(str(out))} " if out else ""
    if out is None:
        from kedro.framework.session import KedroSession

        context = KedroSession.create(env=env).load_context()
        root = Path(context.config_loader["globals"]["root"]).expanduser()
        out = Path(context.project_path) / root
    if unlabelled:
        command.index_unlabelled(folder, out, force, say=click.echo)
        _describe(env, out if variable else None)
        click.echo(f"next: {variable}kedro search PHOTO --env={env}")
        return
    command.index_folder(
        folder, queries, classes, out, query_ratio, near_duplicates, seed, force, say=click.echo
    )
    click.echo(f"lists in {out}; next: {variable}kedro run --env={env}")


def _describe(env: str, root: Path | None) -> None:
    """Run the pipeline zero_shot; `root` holds the lists if it is not that of the environment."""
    from os import environ

    from kedro.framework.session import KedroSession

    if root:
        environ["INDEPENDENT_ROOT"] = str(root)
    KedroSession.create(env=env).run(pipeline_names=["zero_shot"])


@click.command(cls=PlainErrorCommand)
@click.argument("archives", type=click.Path(path_type=Path))
@click.argument("dest", type=click.Path(path_type=Path))
def compcars_unpack(archives: Path, dest: Path) -> None:
    """Unpack CompCars from the split archives in ARCHIVES to DEST; can be stopped and repeated.

    The password is read from the environment variable COMPCARS_PASSWORD.
    """
    from os import environ

    from car_retrieval.cli.compcars_unpack import PASSWORD, unpack_compcars

    if not environ.get(PASSWORD):
        raise ValueError(
            f"set the environment variable {PASSWORD} to the password: the publisher states it "
            "beside the downloads, in instruction.txt"
        )
    unpack_compcars(archives, dest, environ[PASSWORD], say=click.echo)
    root = shlex.quote(str(dest))
    click.echo(f"next: COMPCARS_ROOT={root} kedro run --env=compcars --pipelines=data_processing")
