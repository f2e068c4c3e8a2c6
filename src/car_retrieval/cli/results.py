"""`kedro prune` and `kedro tune`: what runs left."""

import click
from kedro.framework.cli.utils import env_option

from car_retrieval.cli.plain_errors import PlainErrorCommand


@click.command(cls=PlainErrorCommand)
@click.option("--keep", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@env_option
def prune(keep: int, dry_run: bool, env: str | None) -> None:
    """Delete all but the newest versions of every dataset of an environment.

    What killed runs left half-written is deleted too: do not prune while a run is at work.
    """
    from kedro.framework.session import KedroSession

    from car_retrieval.cli.prune import by_version, delete, project_datasets, prunable, size_of

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


@click.command(cls=PlainErrorCommand)
@click.option(
    "--recall",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.95,
    show_default=True,
    help="Of exact search's.",
)
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

    from car_retrieval.cli.tune import print_tuning
    from car_retrieval.search.tune import tune as measure

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
