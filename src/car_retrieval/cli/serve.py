"""`kedro serve`: search by photo in the browser and over HTTP."""

import os

import click
from kedro.framework.cli.utils import env_option

from car_retrieval.cli.errors import PlainErrorCommand

# That torch's threads wait for the next layer before they sleep: fewer slow down a search alone,
# more take the cores from those who decode and answer. The default is 300,000.
ROUNDS = "10000"


@click.command("serve", cls=PlainErrorCommand)
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
def command(
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

        from car_retrieval.serving.web.middleware import Limits
        from car_retrieval.serving.web.serve import serve
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{error.name} is not installed: pip install -e '.[serve]' brings what is needed"
        ) from error
    limits = Limits(int(max_mb * 1e6), int(max_megapixels * 1e6), max_k, max_requests)
    serve(env, host, port, limits)
