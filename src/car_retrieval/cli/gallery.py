"""`kedro gallery`: add, correct, remove and list gallery photos, without a new run."""

import csv
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from kedro.framework.cli.utils import env_option
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from car_retrieval.cli.errors import PlainErrorCommand
from car_retrieval.data.photo_table import counted
from car_retrieval.gallery.approximate import ALWAYS_EXACT, GalleryIndex
from car_retrieval.gallery.checked_labels import checked
from car_retrieval.gallery.conditions import parse_condition
from car_retrieval.gallery.photo_sources import Source, photos_of
from car_retrieval.gallery.record import Labels, photo_id
from car_retrieval.gallery.store import BATCH
from car_retrieval.images.inspect import digest_of
from car_retrieval.serving.filters import Filters
from car_retrieval.serving.removal import remove_records
from car_retrieval.serving.run_artifacts import RunArtifacts
from car_retrieval.serving.search_result import match_of

if TYPE_CHECKING:
    from car_retrieval.datasets.image_files import ImageFiles
    from car_retrieval.gallery.living import GallerySnapshot, LivingGallery
    from car_retrieval.gallery.record import GalleryRecord
    from car_retrieval.search.lopq.index import LopqIndex
    from car_retrieval.serving.gallery_writer import NewPhoto, Outcome

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
    add_photos(sources, dry_run, env, say=click.echo)


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
        records = _named(snapshot, photos, artifacts.files.root)
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


def add_photos(
    sources: Sequence[Source], dry_run: bool, env: str | None, say: Callable[[str], None]
) -> None:
    """Add photos in batches; the photos of a finished batch stay added if the rest fails.

    Args:
        sources: the photos.
        dry_run: only say what would be done.
        env: Kedro environment.
        say: function that prints a line.
    """
    with redirect_stdout(sys.stderr):
        from car_retrieval.serving.gallery_writer import GalleryWriter

        artifacts = _opened(env)
        writer = GalleryWriter(artifacts.load_retriever())
    outcomes: list[tuple[Source, Outcome]] = []
    with tqdm(total=len(sources), desc="adding", unit="photo", disable=None) as bar:
        for start in range(0, len(sources), BATCH):
            batch = sources[start : start + BATCH]
            made = writer.add([_read(source, artifacts.files) for source in batch], dry_run)
            outcomes += zip(batch, made, strict=True)
            bar.update(len(batch))
    _tell(outcomes, dry_run, say)


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


def _tell(
    outcomes: Sequence[tuple[Source, "Outcome"]], dry_run: bool, say: Callable[[str], None]
) -> None:
    skipped = [(source, made.reason) for source, made in outcomes if made.kind == "skipped"]
    for source, reason in skipped[:SHOWN]:
        say(f"skipped {_shown(source.file)}: {reason}")
    if len(skipped) > SHOWN:
        say(f"… and {len(skipped) - SHOWN} more")
    count = Counter(made.kind for _, made in outcomes)
    done = ", ".join(
        f"{count[kind]:,} {kind}" for kind in ("added", "updated", "unchanged", "skipped")
    )
    say(f"would be: {done}" if dry_run else done)


def _read(source: Source, files: "ImageFiles") -> "NewPhoto | str":
    """Read a photo; returns the reason if it cannot be read."""
    from car_retrieval.serving.gallery_writer import NewPhoto

    path = source.file.as_posix() if source.listed else _relative(source.file, files.root)
    file = files.file(source.file.as_posix()) if source.listed else source.file
    if source.problem:
        return source.problem
    if not file.is_file():
        return "not a regular file" if file.exists() else "no such file"
    if path is not None and _id(path) is None:
        return "its name is not UTF-8"
    try:
        data = file.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    return NewPhoto(data, file.name, source.labels, path)


def _opened(env: str | None) -> RunArtifacts:
    with redirect_stdout(sys.stderr):
        return RunArtifacts(env)


def _relative(file: Path, root: Path) -> str | None:
    """Return the path of a file relative to the gallery folder, links followed or not."""
    inside = root.resolve()
    places = [(file.parent.resolve() / file.name, inside), (file.resolve(), inside)]
    if ".." not in file.parts:
        places.insert(0, (file.absolute(), root.absolute()))
    for path, folder in places:
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return None


def _id(path: str) -> str | None:
    """Return the id of a photo by its path; None if no list can hold the path."""
    try:
        return photo_id(path)
    except UnicodeEncodeError:
        return None


def _shown(path: Path | str) -> str:
    """Return a path as text that a terminal can print."""
    return os.fsencode(path).decode(errors="replace")


def _matching(snapshot: "GallerySnapshot", where: Sequence[str]) -> list[int]:
    filters = Filters(where=tuple(map(parse_condition, where)))
    rows: list[int] = np.flatnonzero(snapshot.present & filters.mask(snapshot.photos)).tolist()
    return rows


def _named(snapshot: "GallerySnapshot", names: Sequence[str], root: Path) -> list["GalleryRecord"]:
    """Return photos named by id, by path or by file, those that wait for a network included."""
    rows = {snapshot.ids[row]: row for row in np.flatnonzero(snapshot.present).tolist()}
    waiting = {record.id: record for record in snapshot.waiting}
    found: dict[str, GalleryRecord] = {}
    unknown = []
    for name in names:
        keys = [name, _id(name), _id(_relative(Path(name), root) or name)]
        known = [key for key in keys if key in rows or key in waiting][:1]
        known = known or _copies(snapshot, Path(name))
        found |= {key: snapshot.record(rows[key]) if key in rows else waiting[key] for key in known}
        unknown += [] if known else [_shown(name)]
    if unknown:
        raise ValueError(f"not in the gallery: {', '.join(unknown)}")
    return list(found.values())


def _copies(snapshot: "GallerySnapshot", file: Path) -> list[str]:
    """Return the ids of the photos that have the content of a file."""
    if not file.is_file():
        return []
    digest = digest_of(file.read_bytes())
    same = snapshot.present & (snapshot.photos["Hash"] == digest).to_numpy(bool)
    waiting = [record.id for record in snapshot.waiting if record.hash == digest]
    return [snapshot.ids[row] for row in np.flatnonzero(same)] + waiting


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
