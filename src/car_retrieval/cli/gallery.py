"""`kedro gallery`: add, correct, remove and list gallery photos, without a new run."""

import csv
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import click
import numpy as np
from kedro.framework.cli.utils import env_option
from rich.console import Console
from rich.table import Table

from car_retrieval.cli.errors import PlainErrorCommand
from car_retrieval.cli.gallery_add import add_photos
from car_retrieval.cli.gallery_names import named_photos
from car_retrieval.data.photo_table import counted
from car_retrieval.gallery.approximate import ALWAYS_EXACT, GalleryIndex
from car_retrieval.gallery.checked_labels import checked
from car_retrieval.gallery.conditions import parse_condition
from car_retrieval.gallery.photo_sources import photos_of
from car_retrieval.gallery.record import Labels
from car_retrieval.serving.filters import Filters
from car_retrieval.serving.removal import remove_records
from car_retrieval.serving.run_artifacts import RunArtifacts
from car_retrieval.serving.search_result import match_of

if TYPE_CHECKING:
    from car_retrieval.gallery.living import GallerySnapshot, LivingGallery
    from car_retrieval.search.lopq.index import LopqIndex

SHOWN = 5  # photos that are named of each kind
REFIT = 0.2  # share of photos added since the index was fitted, from which to fit it again
LOST = 0.02  # recall lost since then, from which to fit it again
RECALL_AT = 20
where_option = click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help="field=value, field=value,value, field=low..high or field!=value; may be repeated.",
)


@click.group("gallery")
def command() -> None:
    """Add, correct, remove and list gallery photos, without a new run.

    Every search finds a change at once, and so does a running service.
    """


@command.command("add", cls=PlainErrorCommand)
@click.argument("photos", nargs=-1, required=True, metavar="PHOTOS...")
@click.option("--class", "class_", help="Class of all photos: a name, or a number.")
@click.option("--make", help="Make of all photos.")
@click.option("--model", help="Model of all photos.")
@click.option("--year", type=int, help="Year of all photos.")
@click.option("--field", "fields", multiple=True, metavar="NAME=VALUE", help="A further field.")
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
@env_option
def add(
    photos: tuple[str, ...],
    class_: str | None,
    make: str | None,
    model: str | None,
    year: int | None,
    fields: tuple[str, ...],
    dry_run: bool,
    env: str | None,
) -> None:
    """Add photos: files, folders, CSV files, or - for a list on standard input.

    The class of a photo in a subfolder of a folder is the path of the subfolder. A CSV has a
    column path, relative to the CSV, and may have class, make, model, year and further fields.
    A photo that is in the gallery is corrected if its file or labels differ, else left alone.
    """
    common = checked(Labels(class_, make, model, year, None, dict(map(_field, fields))))
    sources = photos_of(photos, common, sys.stdin)
    if not sources:
        raise ValueError(f"no photo in {', '.join(photos)}")
    add_photos(sources, dry_run, env)


@command.command("remove", cls=PlainErrorCommand)
@click.argument("photos", nargs=-1, metavar="[PHOTO...]")
@where_option
@click.option("--dry-run", is_flag=True, help="Only print what would be removed.")
@env_option
def remove(photos: tuple[str, ...], where: tuple[str, ...], dry_run: bool, env: str | None) -> None:
    """Remove photos: by id, by path, by file, or by conditions.

    Your own files are not deleted, only the copies that `kedro gallery add` made.
    """
    if bool(photos) == bool(where):
        raise ValueError("name photos, or give conditions with --where")
    artifacts = _opened(env)
    snapshot = artifacts.gallery.snapshot()
    if where:
        records = [snapshot.record(row) for row in _matching(snapshot, where)]
    else:
        records = named_photos(snapshot, photos, artifacts.files.root)
    _show_some("would remove" if dry_run else "remove", [record.path for record in records])
    if not dry_run:
        remove_records(artifacts.gallery.store, artifacts.files, records)
    verb = "would be removed" if dry_run else "removed"
    click.echo(f"{counted(len(records), 'photo', 'photos')} {verb}")


@command.command("list", cls=PlainErrorCommand)
@where_option
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--csv", "as_csv", is_flag=True, help="Print all as CSV, for `kedro gallery add`.")
@env_option
def list_(where: tuple[str, ...], limit: int, as_csv: bool, env: str | None) -> None:
    """List the photos of the gallery."""
    snapshot = _opened(env).gallery.snapshot()
    rows = _matching(snapshot, where)
    if as_csv:
        _print_csv(snapshot, rows)
        return
    table = Table(box=None, pad_edge=False)
    for name in ("id", "class", "make", "model", "year"):
        table.add_column(name, no_wrap=name == "id")
    table.add_column("path", overflow="fold")
    for row in rows[:limit]:
        cells = ["" if value is None else str(value) for value in _labels(snapshot, row)]
        table.add_row(snapshot.ids[row], *cells, snapshot.photo(row)["Path"])
    Console(highlight=False, markup=False, emoji=False).print(table)
    if len(rows) > limit:
        click.echo(f"{limit} of {len(rows):,}; --limit={len(rows)} or --csv shows all")


@command.command("info", cls=PlainErrorCommand)
@env_option
def info(env: str | None) -> None:
    """Count the photos, and say whether to fit the index again."""
    artifacts = _opened(env)
    snapshot = artifacts.gallery.snapshot()
    listed = len(snapshot.listed)
    added = int(snapshot.present[listed:].sum())
    gone = listed - int(snapshot.present[:listed].sum())
    click.echo(f"run {max(artifacts.versions)}: {counted(listed, 'photo', 'photos')}")
    click.echo(f"since then: {added:,} added or corrected, {gone:,} removed or replaced")
    click.echo(f"searched: {counted(len(snapshot), 'photo', 'photos')}")
    if snapshot.waiting:
        click.echo(
            f"{counted(len(snapshot.waiting), 'photo waits', 'photos wait')} for the network of "
            "this run: kedro gallery describe"
        )
    index = artifacts.load_index() if len(snapshot) > ALWAYS_EXACT else None
    if index is not None:
        _tell_recall(artifacts.gallery, snapshot, index, added / len(snapshot))


@command.command("describe", cls=PlainErrorCommand)
@env_option
def describe(env: str | None) -> None:
    """Describe photos that were added during a run, with the network of that run."""
    with redirect_stdout(sys.stderr):
        from car_retrieval.serving.gallery_writer import GalleryWriter

        writer = GalleryWriter(_opened(env).load_retriever())
    waiting = writer.waiting
    done = writer.describe_waiting()
    click.echo(f"{counted(done, 'photo', 'photos')} described")
    if left := waiting - done:
        click.echo(f"{counted(left, 'file is', 'files are')} missing or damaged", err=True)


def _tell_recall(
    gallery: "LivingGallery", snapshot: "GallerySnapshot", index: "LopqIndex", new: float
) -> None:
    before = GalleryIndex(index).recall(gallery.run, np.arange(len(index)), RECALL_AT)
    now = GalleryIndex(index).recall(snapshot, np.flatnonzero(snapshot.present), RECALL_AT)
    click.echo(
        f"LOPQ finds {now:.1%} of the {RECALL_AT} most similar photos; when it was fitted "
        f"{before:.1%}"
    )
    if new >= REFIT or before - now >= LOST:
        click.echo(f"{new:.0%} of the photos are new since then: fit it again with kedro run")


def _opened(env: str | None) -> RunArtifacts:
    with redirect_stdout(sys.stderr):
        return RunArtifacts(env)


def _matching(snapshot: "GallerySnapshot", where: Sequence[str]) -> list[int]:
    filters = Filters(where=tuple(map(parse_condition, where)))
    rows: list[int] = np.flatnonzero(snapshot.present & filters.mask(snapshot.photos)).tolist()
    return rows


def _show_some(verb: str, paths: Sequence[str]) -> None:
    for path in paths[:SHOWN]:
        click.echo(f"{verb} {path}")
    if len(paths) > SHOWN:
        click.echo(f"… and {len(paths) - SHOWN} more")


def _print_csv(snapshot: "GallerySnapshot", rows: Sequence[int]) -> None:
    records = [snapshot.record(row) for row in rows]
    names = sorted({name for record in records for name in record.labels.fields})
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["id", "path", "class", "make", "model", "year", *names])
    for row, record in zip(rows, records, strict=True):
        fields = map(record.labels.fields.get, names)
        writer.writerow([record.id, record.path, *_labels(snapshot, row), *fields])


def _labels(snapshot: "GallerySnapshot", row: int) -> list[object]:
    """Return class, make, model and year of a row; those of its class if it has none itself."""
    match = match_of(snapshot.ids[row], snapshot.photo(row), 0.0)
    return [snapshot.record(row).labels.class_, match.make, match.model, match.year]


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"--field={text}: write NAME=VALUE")
    return name.strip(), value.strip()
