"""`kedro serve`: search by photo in the browser and over HTTP."""

import os

import click
from kedro.framework.cli.utils import env_option

from car_retrieval.cli.errors import PlainErrorCommand

# Iterations that an OpenMP thread of torch spins between layers before it sleeps; the default is
# 300,000. Lower values slow down single searches, higher ones take cores from other threads.
SPIN_COUNT = "10000"


@click.command("serve", cls=PlainErrorCommand)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0: all."
)
@click.option("--port", type=click.IntRange(0, 65_535), default=8000, show_default=True)
@click.option(
    "--max-mb",
    type=click.FloatRange(min=0.001),
    default=20,
    show_default=True,
    help="Maximum size of an upload.",
)
@click.option(
    "--max-megapixels",
    type=click.FloatRange(min=0.001),
    default=50,
    show_default=True,
    help="Maximum size of a photo.",
)
@click.option(
    "--max-k",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Maximum number of matches.",
)
@click.option(
    "--max-requests",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Maximum number of requests in progress.",
)
@click.option(
    "--root-path", default="", metavar="/PATH", help="Path below which a proxy offers the service."
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Host name by which a proxy calls the service, if it has no API key; repeatable.",
)
@click.option(
    "--forwarded-allow-ips",
    default="127.0.0.1",
    show_default=True,
    metavar="IPS",
    help="Proxies whose X-Forwarded headers are believed, separated by commas; *: all.",
)
@click.option(
    "--cors-origin",
    "cors_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Another site whose pages may use the service, as https://example.com; repeatable.",
)
@env_option
def command(
    host: str,
    port: int,
    max_mb: float,
    max_megapixels: float,
    max_k: int,
    max_requests: int,
    root_path: str,
    allowed_hosts: tuple[str, ...],
    forwarded_allow_ips: str,
    cors_origins: tuple[str, ...],
    env: str | None,
) -> None:
    """Serve search by photo in the latest run, in the browser and over HTTP.

    When a newer run has finished, the service switches to it. Set CAR_RETRIEVAL_API_KEY to
    require an API key.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # read when torch is imported
    try:
        import python_multipart  # noqa: F401  # FastAPI would report it too late

        from car_retrieval.serving.web.middleware import Limits
        from car_retrieval.serving.web.serve import Deployment, serve
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{error.name} is not installed: run `pip install -e '.[serve]'`"
        ) from error
    limits = Limits(int(max_mb * 1e6), int(max_megapixels * 1e6), max_k, max_requests)
    deployment = Deployment(root_path, allowed_hosts, cors_origins, forwarded_allow_ips)
    serve(env, host, port, limits, deployment)
