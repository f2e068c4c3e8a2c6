"""`kedro search`: search by photo in the terminal."""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import numpy as np
from kedro.framework.cli.utils import env_option
from rich.console import Console
from rich.table import Table

from car_retrieval.cli.errors import PlainErrorCommand
from car_retrieval.images.crop import Box, check_inside
from car_retrieval.images.inspect import inspect
from car_retrieval.serving.filters import Filters
from car_retrieval.serving.run_artifacts import RunArtifacts
from car_retrieval.serving.search_result import SearchResult

if TYPE_CHECKING:
    from car_retrieval.serving.retriever import Retriever

BATCH = 64  # photos that are searched together
WIDTH = 1_000  # columns, so that paths are not truncated
COLUMNS: dict[str, Literal["left", "right"]] = {
    "rank": "right",
    "similarity": "right",
    "make": "left",
    "model": "left",
    "year": "right",
    "path": "left",
}
NO_THRESHOLD = (
    "no match threshold for these descriptors; run the pipelines evaluation and diagnosis without "
    "evaluation.reranking"
)
NO_CLASSES = (
    "no match threshold, because the photos have no classes to measure it with; compare them by eye"
)

Crop = tuple[int, int, int, int]
Auto = Literal["auto"]


class Integers(click.ParamType):
    """Type of an option that holds several integers.

    Args:
        name: expected format, shown in error messages.
        pattern: regular expression with a group for each integer; an optional group that is absent
            repeats the first integer.
    """

    def __init__(self, name: str, pattern: str) -> None:
        self.name, self._pattern = name, pattern

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Parse the integers."""
        parsed = re.fullmatch(self._pattern, value.replace(" ", ""))
        if not parsed:
            self.fail(f"expected {self.name}, got '{value}'", param, ctx)
        first, *others = parsed.groups()
        return (int(first), *(int(first if other is None else other) for other in others))


YEARS = Integers("2012 or 2010-2014", r"(\d{1,4})(?:-(\d{1,4}))?")


class CropType(Integers):
    """Type of an option that holds a crop: its corners, `auto` or `none`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the corners or the keyword."""
        if value in ("auto", "none"):
            return None if value == "none" else value
        return super().convert(value, param, ctx)


CROP = CropType("auto, none or x1,y1,x2,y2", ",".join([r"(\d{1,9})"] * 4))


@click.command("search", cls=PlainErrorCommand)
@click.argument(
    "photos", nargs=-1, required=True, metavar="PHOTO...", type=click.Path(path_type=Path)
)
@click.option(
    "--k", type=click.IntRange(min=1), default=10, show_default=True, help="Matches per photo."
)
@click.option("--method", type=click.Choice(["exact", "lopq"]), default="exact", show_default=True)
@click.option("--make", help="Only cars of this make.")
@click.option("--model", help="Only cars of this model.")
@click.option("--year", type=YEARS, metavar="YEARS", help="Only cars of 2012, or of 2010-2014.")
@click.option(
    "--crop",
    type=CROP,
    metavar="CROP",
    help="Part of the photo: x1,y1,x2,y2 in pixels from 1; auto: the car; none: all of it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per photo.")
@env_option
def command(
    photos: tuple[Path, ...],
    k: int,
    method: str,
    make: str | None,
    model: str | None,
    year: tuple[int, int] | None,
    crop: Any,
    as_json: bool,
    env: str | None,
) -> None:
    """Find the gallery photos most similar to each PHOTO.

    The search uses the network and the descriptors of the latest run. A similarity in brackets is
    below the match threshold.
    """
    search_photos(photos, k, method, Filters(make, model, year), crop, as_json, env)


def search_photos(
    photos: Sequence[Path],
    k: int,
    method: str,
    filters: Filters,
    crop: Crop | Auto | None,
    as_json: bool,
    env: str | None,
) -> None:
    """Search the latest run of an environment for photos, and print the matches.

    The input is validated before the network is loaded. Logs go to stderr.

    Args:
        photos: paths of the query photos.
        k: maximum number of matches per photo.
        method: `exact` or `lopq`.
        filters: conditions on the matches.
        crop: part of the photo to search with, for a single photo only; `auto`: the detected car of
            each photo.
        as_json: print one line of JSON per photo instead of a table.
        env: Kedro environment.

    Raises:
        ValueError: a file is not a picture, the crop lies outside of it, the make or model is
            unknown, or the artifacts of the run are inconsistent.
        FileNotFoundError: no run has finished yet.
    """
    with redirect_stdout(sys.stderr):
        check_photos(photos, crop)
        artifacts = RunArtifacts(env)
        filters.mask(artifacts.photos)
        retriever = artifacts.load_retriever()
    root = getattr(retriever.files, "root", Path())
    results = _search(retriever, photos, k, method, filters, crop)
    for photo, (part, result) in zip(photos, results, strict=True):
        if as_json:
            click.echo(_json(photo, part, result, root))
        else:
            _print_table(photo, part, result, root)
    if retriever.untrained:
        click.echo(retriever.untrained, err=True)
    if retriever.threshold is None:
        click.echo(NO_THRESHOLD if retriever.labelled else NO_CLASSES, err=True)


def check_photos(photos: Sequence[Path], crop: Crop | Auto | None) -> None:
    """Check that all files are pictures and that the crop lies inside its picture.

    Raises:
        ValueError: a file or the crop is invalid; one line lists all invalid files.
    """
    box = Box(*crop) if isinstance(crop, tuple) else None
    if box and len(photos) > 1:
        raise ValueError(
            f"--crop=x1,y1,x2,y2 needs a single photo, got {len(photos)}: search them one by one"
        )
    errors = []
    for photo in photos:
        try:
            about = inspect(photo.read_bytes())
            if about.truncated:
                click.echo(f"{photo}: its end marker is missing; it may be damaged", err=True)
            if box:
                check_inside(box, about.width, about.height)
        except ValueError as error:
            errors.append(f"{photo}: {error}")
        except OSError as error:
            errors.append(f"{photo}: {error.strerror}")
    if errors:
        raise ValueError("; ".join(errors))


def _search(
    retriever: "Retriever",
    photos: Sequence[Path],
    k: int,
    method: str,
    filters: Filters,
    crop: Crop | Auto | None,
) -> Iterator[tuple[Crop | None, SearchResult]]:
    """Yield the crop and the result of each photo."""
    for start in range(0, len(photos), BATCH):
        batch = photos[start : start + BATCH]
        with redirect_stdout(sys.stderr):
            parts = [retriever.propose(photo) if crop == "auto" else crop for photo in batch]
            images = np.stack([*map(retriever.prepare, batch, parts)])
            results = retriever.search(retriever.describe(images), k, method, filters)
        yield from zip(parts, results, strict=True)


def _json(photo: Path, part: Crop | None, result: SearchResult, root: Path) -> str:
    matches = []
    for rank, match in enumerate(result.matches, start=1):
        values = asdict(match)
        values["class"] = values.pop("class_")
        matches.append({"rank": rank} | values | {"path": str(root / match.path)})
    about = {
        "photo": str(photo),
        "crop": part,
        "known": result.above_threshold,
        "threshold": result.threshold,
    }
    return json.dumps(about | {"matches": matches}, ensure_ascii=False)


def _print_table(photo: Path, part: Crop | None, result: SearchResult, root: Path) -> None:
    labelled = any(match.class_ is not None for match in result.matches)
    table = Table(box=None, pad_edge=False)
    for name, justify in COLUMNS.items():
        if labelled or name not in ("make", "model", "year"):
            table.add_column(name, justify=justify)
    for rank, match in enumerate(result.matches, start=1):
        shown = f"{match.similarity:.3f}"
        if result.threshold is not None and match.similarity < result.threshold:
            shown = f"({shown})"
        named = (match.make, match.model or f"class {match.class_}", match.year)
        cells = ["–" if value is None else str(value) for value in named] if labelled else []
        table.add_row(str(rank), shown, *cells, str(_from_here(root / match.path)))
    console = Console(width=WIDTH, highlight=False, markup=False, emoji=False)
    searched = f" ({','.join(map(str, part))})" if part else ""
    console.print(f"{photo}{searched}{_verdict(result)}", soft_wrap=True, style="bold")
    if result.matches:
        console.print(table)
    console.print()


def _from_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _verdict(result: SearchResult) -> str:
    if not result.matches:
        return ": no gallery photo matches the filters"
    if result.above_threshold is False:
        return f": no match above {result.threshold:.3f}; nearest photos:"
    if result.threshold is not None and result.matches[-1].similarity < result.threshold:
        return f": photos below the match threshold {result.threshold:.3f} are in brackets"
    return ""
