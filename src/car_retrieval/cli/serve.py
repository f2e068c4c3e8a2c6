"""`kedro search` and `kedro serve`: search by photo."""

import os
import re
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.utils import env_option

from car_retrieval.cli.plain_errors import PlainErrorCommand

# That torch's threads wait for the next layer before they sleep: fewer slow down a search alone,
# more take the cores from those who decode and answer. The default is 300,000.
ROUNDS = "10000"


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


@click.command(cls=PlainErrorCommand)
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
def search(
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
    from car_retrieval.cli.search import search_photos
    from car_retrieval.serving.where import Where

    search_photos(photos, k, method, Where(make, model, year), crop, as_json, env)


@click.command(cls=PlainErrorCommand)
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
    os.environ.setdefault("GOMP_SPINCOUNT", ROUNDS)  # torch reads it when it is imported
    try:
        import python_multipart  # noqa: F401  # FastAPI, which kedro-viz brings, misses it too late

        from car_retrieval.serving.web.guard import Limits
        from car_retrieval.serving.web.serve import serve as run_service
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{error.name} is not installed: pip install -e '.[serve]' brings what is needed"
        ) from error
    limits = Limits(int(max_mb * 1e6), int(max_megapixels * 1e6), max_k, max_requests)
    run_service(env, host, port, limits)
