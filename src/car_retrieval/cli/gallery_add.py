"""Add photos to a gallery batch by batch, with progress."""

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from car_retrieval.cli.gallery_names import id_of, printable, relative_path
from car_retrieval.gallery.photo_sources import Source
from car_retrieval.gallery.store import BATCH
from car_retrieval.serving.run_artifacts import RunArtifacts

if TYPE_CHECKING:
    from car_retrieval.datasets.image_files import ImageFiles
    from car_retrieval.serving.gallery_writer import NewPhoto, Outcome

SHOWN = 5  # skipped photos that are named


def add_photos(sources: Sequence[Source], dry_run: bool, env: str | None) -> None:
    """Add photos in batches; the photos of a finished batch stay added if the rest fails.

    Args:
        sources: the photos.
        dry_run: only print what would be done.
        env: Kedro environment.
    """
    with redirect_stdout(sys.stderr):
        from car_retrieval.serving.gallery_writer import GalleryWriter

        artifacts = RunArtifacts(env)
        writer = GalleryWriter(artifacts.load_retriever())
    outcomes: list[tuple[Source, Outcome]] = []
    with tqdm(total=len(sources), desc="adding", unit="photo", disable=None) as bar:
        for start in range(0, len(sources), BATCH):
            batch = sources[start : start + BATCH]
            made = writer.add([_read(source, artifacts.files) for source in batch], dry_run)
            outcomes += zip(batch, made, strict=True)
            bar.update(len(batch))
    _tell(outcomes, dry_run)


def _tell(outcomes: Sequence[tuple[Source, "Outcome"]], dry_run: bool) -> None:
    skipped = [(source, made.reason) for source, made in outcomes if made.kind == "skipped"]
    for source, reason in skipped[:SHOWN]:
        click.echo(f"skipped {printable(source.file)}: {reason}")
    if len(skipped) > SHOWN:
        click.echo(f"… and {len(skipped) - SHOWN} more")
    count = Counter(made.kind for _, made in outcomes)
    done = ", ".join(
        f"{count[kind]:,} {kind}" for kind in ("added", "updated", "unchanged", "skipped")
    )
    click.echo(f"would be: {done}" if dry_run else done)


def _read(source: Source, files: "ImageFiles") -> "NewPhoto | str":
    """Read a photo; returns the reason if it cannot be read."""
    from car_retrieval.serving.gallery_writer import NewPhoto

    path = source.file.as_posix() if source.listed else relative_path(source.file, files.root)
    file = files.file(source.file.as_posix()) if source.listed else source.file
    if source.problem:
        return source.problem
    if not file.is_file():
        return "not a regular file" if file.exists() else "no such file"
    if path is not None and id_of(path) is None:
        return "its name is not UTF-8"
    try:
        data = file.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    return NewPhoto(data, file.name, source.labels, path)
