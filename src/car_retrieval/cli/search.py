"""`kedro search`: photos from the command line, answers to the terminal."""

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
from car_retrieval.serving.filters import Where
from car_retrieval.serving.run_artifacts import Results
from car_retrieval.serving.search_result import Answer

if TYPE_CHECKING:
    from car_retrieval.serving.retriever import Retriever

BATCH = 64  # photos packed, described and searched at a time
WIDTH = 1_000  # columns: a path is not to be cut
COLUMNS: dict[str, Literal["left", "right"]] = {
    "rank": "right",
    "similarity": "right",
    "make": "left",
    "model": "left",
    "year": "right",
    "path": "left",
}
WITHOUT_THRESHOLD = (
    "whether these are matches is not said: no threshold was measured for these descriptors; "
    "`kedro run --pipelines=evaluation` does, without re-ranking"
)
WITHOUT_CLASSES = (
    "the photos have no classes, so that no threshold for a match can be measured: judge by eye"
)

Crop = tuple[int, int, int, int]
Auto = Literal["auto"]


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


class CropType(Numbers):
    """A part of a photo: its corners, or a word for how to choose it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the numbers or the word."""
        if value in ("auto", "none"):
            return None if value == "none" else value
        return super().convert(value, param, ctx)


CROP = CropType("auto, none or x1,y1,x2,y2", ",".join([r"(\d{1,9})"] * 4))


@click.command("search", cls=PlainErrorCommand)
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
    "--crop",
    type=CROP,
    metavar="CROP",
    help="Part to search with: x1,y1,x2,y2 in pixels from 1, none, or auto: the car.",
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON a photo.")
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
    """Find the gallery's cars that are most like the one in a photo.

    It searches with the newest network and descriptors. A similarity in brackets is below the
    threshold for a match.
    """
    search_photos(photos, k, method, Where(make, model, year), crop, as_json, env)


def search_photos(
    photos: Sequence[Path],
    k: int,
    method: str,
    where: Where,
    crop: Crop | Auto | None,
    as_json: bool,
    env: str | None,
) -> None:
    """Search the newest results of an environment for photos, and print what is found.

    Whatever can be found wrong without the network is, before it is loaded. Logs go to stderr.

    Args:
        photos: files.
        k: matches of each.
        method: `exact` or `lopq`.
        where: what matches must be.
        crop: the part of the photo to search with, of a single photo only; `auto`: the part of each
            photo that the network proposes.
        as_json: print a line of JSON a photo instead of a table.
        env: of the configuration.

    Raises:
        ValueError: a file is no picture, the crop lies outside of it, or there is no such make or
            model; or results do not belong together.
        FileNotFoundError: there are no results yet.
    """
    with redirect_stdout(sys.stderr):
        check_photos(photos, crop)
        results = Results(env)
        where.fits(results.photos)
        retriever = results.retriever()
    root = getattr(retriever.files, "root", Path())
    answers = _answers(retriever, photos, k, method, where, crop)
    for photo, (part, answer) in zip(photos, answers, strict=True):
        if as_json:
            click.echo(_json(photo, part, answer, root))
        else:
            _print_table(photo, part, answer, root)
    if retriever.untrained:
        click.echo(retriever.untrained, err=True)
    if retriever.threshold is None:
        click.echo(WITHOUT_THRESHOLD if retriever.labelled else WITHOUT_CLASSES, err=True)


def check_photos(photos: Sequence[Path], crop: Crop | Auto | None) -> None:
    """Refuse files that are not pictures, all in one line, and a crop outside of its picture."""
    box = Box(*crop) if isinstance(crop, tuple) else None
    if box and len(photos) > 1:
        raise ValueError(f"a crop is of one photo, and {len(photos)} are given: search one by one")
    wrong = []
    for photo in photos:
        try:
            about = inspect(photo.read_bytes())
            if box:
                check_inside(box, about.width, about.height)
        except ValueError as error:
            wrong.append(f"{photo}: {error}")
        except OSError as error:
            wrong.append(f"{photo}: {error.strerror}")
    if wrong:
        raise ValueError("; ".join(wrong))


def _answers(
    retriever: "Retriever",
    photos: Sequence[Path],
    k: int,
    method: str,
    where: Where,
    crop: Crop | Auto | None,
) -> Iterator[tuple[Crop | None, Answer]]:
    """The part that was searched with, and what was found, of each photo."""
    for start in range(0, len(photos), BATCH):
        batch = photos[start : start + BATCH]
        with redirect_stdout(sys.stderr):
            parts = [retriever.propose(photo) if crop == "auto" else crop for photo in batch]
            images = np.stack([*map(retriever.prepare, batch, parts)])
            found = retriever.search(retriever.describe(images), k, method, where)
        yield from zip(parts, found, strict=True)


def _json(photo: Path, part: Crop | None, answer: Answer, root: Path) -> str:
    matches = []
    for rank, match in enumerate(answer.matches, start=1):
        values = asdict(match)
        values["class"] = values.pop("class_")
        matches.append({"rank": rank} | values | {"path": str(root / match.path)})
    about = {
        "photo": str(photo),
        "crop": part,
        "known": answer.known,
        "threshold": answer.threshold,
    }
    return json.dumps(about | {"matches": matches}, ensure_ascii=False)


def _print_table(photo: Path, part: Crop | None, answer: Answer, root: Path) -> None:
    labelled = any(match.class_ is not None for match in answer.matches)
    table = Table(box=None, pad_edge=False)
    for name, justify in COLUMNS.items():
        if labelled or name not in ("make", "model", "year"):
            table.add_column(name, justify=justify)
    for rank, match in enumerate(answer.matches, start=1):
        shown = f"{match.similarity:.3f}"
        if answer.threshold is not None and match.similarity < answer.threshold:
            shown = f"({shown})"
        named = (match.make, match.model or f"class {match.class_}", match.year)
        cells = ["–" if value is None else str(value) for value in named] if labelled else []
        table.add_row(str(rank), shown, *cells, str(_from_here(root / match.path)))
    console = Console(width=WIDTH, highlight=False, markup=False, emoji=False)
    searched = f" ({','.join(map(str, part))})" if part else ""
    console.print(f"{photo}{searched}{_verdict(answer)}", soft_wrap=True, style="bold")
    if answer.matches:
        console.print(table)
    console.print()


def _from_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _verdict(answer: Answer) -> str:
    if not answer.matches:
        return ": no photo of the gallery fits"
    if answer.known is False:
        return f": no match, for no similarity reaches {answer.threshold:.3f}; the nearest photos"
    if answer.threshold is not None and answer.matches[-1].similarity < answer.threshold:
        return f": matches from a similarity of {answer.threshold:.3f} on, the others in brackets"
    return ""
