"""`kedro search`: search by photo in the terminal."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import numpy as np
from kedro.framework.cli.utils import env_option

from car_retrieval.cli.errors import PlainErrorCommand
from car_retrieval.cli.search_output import Crop, as_json_line, print_table
from car_retrieval.gallery.conditions import parse_condition
from car_retrieval.images.crop import Box, check_inside
from car_retrieval.images.decode import UnreadableImageError, upright_size
from car_retrieval.images.truncated import lacks_end_marker
from car_retrieval.search.rocchio import GAMMA, rocchio
from car_retrieval.serving.filters import Filters
from car_retrieval.serving.run_artifacts import RunArtifacts
from car_retrieval.serving.search_result import SearchResult

if TYPE_CHECKING:
    from car_retrieval.serving.retriever import Retriever

BATCH = 64  # photos that are searched together
NO_THRESHOLD = (
    "no match threshold for these descriptors; run the pipelines evaluation and diagnosis without "
    "evaluation.reranking"
)
NO_CLASSES = (
    "no match threshold, because the photos have no classes to measure it with; compare them by eye"
)
NO_THRESHOLD_COMBINED = (
    "no match threshold, because it was measured for single photos; compare the matches by eye"
)

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
    "--where",
    multiple=True,
    metavar="CONDITION",
    help="Only photos with field=value, field=value,value or field=low..high; may be repeated.",
)
@click.option(
    "--crop",
    type=CROP,
    metavar="CROP",
    help="Part of the photo: x1,y1,x2,y2 in pixels from 1; auto: the car; none: all of it.",
)
@click.option(
    "--together", is_flag=True, help="The photos show one car: search once, with their mean."
)
@click.option(
    "--unlike",
    multiple=True,
    metavar="PHOTO",
    type=click.Path(path_type=Path),
    help="Photo that matches should not look like; repeatable. Implies --together.",
)
@click.option(
    "--gamma",
    type=click.FloatRange(0, 1),
    default=GAMMA,
    show_default=True,
    help="Weight of the photos after --unlike.",
)
@click.option("--group", is_flag=True, help="Show the classes of the matches, with their votes.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per photo.")
@env_option
def command(
    photos: tuple[Path, ...],
    k: int,
    method: str,
    make: str | None,
    model: str | None,
    year: tuple[int, int] | None,
    where: tuple[str, ...],
    crop: Any,
    together: bool,
    unlike: tuple[Path, ...],
    gamma: float,
    group: bool,
    as_json: bool,
    env: str | None,
) -> None:
    """Find the gallery photos most similar to each PHOTO, or to several together.

    The search uses the network and the descriptors of the latest run. A similarity in brackets is
    below the match threshold.
    """
    searches = [photos] if together or unlike else [(photo,) for photo in photos]
    filters = Filters(make, model, year, tuple(map(parse_condition, where)))
    options = SearchOptions(k, method, filters, crop, unlike, gamma)
    search_photos(searches, options, as_json, group, env)


@dataclass(frozen=True)
class SearchOptions:
    """Options of all searches of a call.

    Attributes:
        k: maximum number of matches per search.
        method: `exact` or `lopq`.
        filters: conditions on the matches.
        crop: part of the photo to search with, for a single photo only; `auto`: the detected car of
            each photo.
        unlike: photos that matches should not look like.
        gamma: weight of `unlike`, see `rocchio`.
    """

    k: int
    method: str
    filters: Filters
    crop: Crop | Auto | None = None
    unlike: tuple[Path, ...] = ()
    gamma: float = GAMMA


def search_photos(
    searches: Sequence[tuple[Path, ...]],
    options: SearchOptions,
    as_json: bool,
    group: bool,
    env: str | None,
) -> None:
    """Search the latest run of an environment for photos, and print the matches.

    The input is validated before the network is loaded. Logs go to stderr.

    Args:
        searches: paths of the query photos of each search.
        options: options of all searches.
        as_json: print one line of JSON per search instead of a table.
        group: print the classes of the matches above them.
        env: Kedro environment.

    Raises:
        ValueError: a file is not a picture, the crop lies outside of it, the make or model is
            unknown, or the artifacts of the run are inconsistent.
        FileNotFoundError: no run has finished yet.
    """
    with redirect_stdout(sys.stderr):
        check_photos(
            [*(photo for photos in searches for photo in photos), *options.unlike], options.crop
        )
        artifacts = RunArtifacts(env)
        options.filters.mask(artifacts.gallery.snapshot().photos)
        retriever = artifacts.load_retriever()
    combined = len(searches[0]) > 1 or bool(options.unlike)
    for photos, (part, result) in zip(searches, _search(retriever, searches, options), strict=True):
        if combined:
            result = result.without_threshold()
        if as_json:
            click.echo(as_json_line(photos, options.unlike, part, result, artifacts.files))
        else:
            title = " + ".join(map(str, photos)) + "".join(f" − {one}" for one in options.unlike)
            print_table(title, part, result, artifacts.files, group)
    if retriever.untrained:
        click.echo(retriever.untrained, err=True)
    if combined:
        click.echo(NO_THRESHOLD_COMBINED, err=True)
    elif retriever.threshold is None:
        click.echo(NO_THRESHOLD if retriever.labelled else NO_CLASSES, err=True)


def check_photos(photos: Sequence[Path], crop: Crop | Auto | None) -> None:
    """Check by their headers that all files are pictures, and that the crop lies inside.

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
            width, height = upright_size(photo.read_bytes())
            if box:
                check_inside(box, width, height)
        except ValueError as error:
            errors.append(f"{photo}: {error}")
        except OSError as error:
            errors.append(f"{photo}: {error.strerror}")
    if errors:
        raise ValueError("; ".join(errors))


def _search(
    retriever: "Retriever", searches: Sequence[tuple[Path, ...]], options: SearchOptions
) -> Iterator[tuple[Crop | None, SearchResult]]:
    """Yield the result of each search, and the crop of its first photo."""
    with redirect_stdout(sys.stderr):
        unlike, _ = _describe(retriever, options.unlike, options.crop)
    for start in range(0, len(searches), BATCH):
        batch = searches[start : start + BATCH]
        with redirect_stdout(sys.stderr):
            described, parts = _describe(retriever, [*chain(*batch)], options.crop)
            ends = np.cumsum([len(photos) for photos in batch])
            groups = np.split(described, ends[:-1])
            queries = np.stack([rocchio(group, unlike, options.gamma) for group in groups])
            results = retriever.search(queries, options.k, options.method, options.filters)
        firsts = [parts[end - len(photos)] for end, photos in zip(ends, batch, strict=True)]
        yield from zip(firsts, results, strict=True)


def _describe(
    retriever: "Retriever", photos: Sequence[Path], crop: Crop | Auto | None
) -> tuple[np.ndarray, list[Crop | None]]:
    """Return the descriptors of photos, float32 [n, D], and the parts that they are of."""
    prepared = [_prepared(retriever, photo, crop) for photo in photos]
    images = [image for _, image in prepared]
    stacked = np.stack(images) if images else np.empty((0, 3, 1, 1), np.uint8)
    return retriever.describe(stacked), [part for part, _ in prepared]


def _prepared(
    retriever: "Retriever", photo: Path, crop: Crop | Auto | None
) -> tuple[Crop | None, np.ndarray]:
    """Return the crop of a photo, and the photo packed as uint8 [3, R, R]."""
    data = photo.read_bytes()
    if lacks_end_marker(data):
        click.echo(f"{photo}: its end marker is missing; it may be damaged", err=True)
    try:
        part = retriever.propose(data) if crop == "auto" else crop
        return part, retriever.prepare(data, part)
    except UnreadableImageError as error:
        raise ValueError(f"{photo}: {error}") from None
