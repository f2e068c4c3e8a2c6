"""Run the service for `kedro serve`."""

import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import click
import uvicorn

from car_retrieval.serving.gallery_writer import GalleryWriter
from car_retrieval.serving.retriever import Retriever
from car_retrieval.serving.run_artifacts import latest_versions, open_retriever
from car_retrieval.serving.web.app import create_app
from car_retrieval.serving.web.middleware import Limits
from car_retrieval.serving.web.model_reloader import ModelReloader, open_and_warm_up

KEY = "CAR_RETRIEVAL_API_KEY"
LOCAL = ("localhost", "127.0.0.1", "[::1]")
SHUTDOWN_TIMEOUT = 30  # seconds that requests in progress have to finish


@dataclass(frozen=True)
class Deployment:
    """Where the service is reached, besides the address it listens on.

    Attributes:
        root_path: path below which a proxy offers the service, such as `/cars`; "": none.
        allowed_hosts: host names of the service, besides its own, if it needs no API key.
        cors_origins: other origins whose pages may use the service, such as `https://example.com`.
        forwarded_allow_ips: proxies whose X-Forwarded-For and -Proto are believed: addresses or
            networks, separated by commas; `*`: all.

    Raises:
        ValueError: the root path or an origin is malformed.
    """

    root_path: str = ""
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    forwarded_allow_ips: str = "127.0.0.1"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"(/[\w.~-]+)*", self.root_path):
            raise ValueError(
                f"--root-path: '{self.root_path}' must begin with a slash and not end with one, "
                "as in /cars"
            )
        for origin in self.cors_origins:
            if origin != "*" and not re.fullmatch(r"https?://[^/\s]+", origin):
                raise ValueError(
                    f"--cors-origin: '{origin}' must be a scheme and a host without a path, as in "
                    "https://example.com or http://localhost:3000"
                )


def serve(
    env: str | None,
    host: str,
    port: int,
    limits: Limits,
    deployment: Deployment = Deployment(),  # frozen
) -> None:
    """Serve the latest run until SIGINT or SIGTERM.

    Args:
        env: Kedro environment.
        host: address to listen on.
        port: port to listen on; 0 selects a free one.
        limits: limits of the requests.
        deployment: where the service is reached.

    Raises:
        ValueError: the API key is empty or not ASCII, or the artifacts of the run are inconsistent.
        FileNotFoundError: no run has finished yet.
        OSError: the address is in use or not available on this machine.
    """
    key = os.environ.get(KEY)
    if key is not None and not key.strip():
        raise ValueError(f"{KEY} is empty: set it to a key, or unset it to allow access without")
    if key is not None and not key.isascii():
        raise ValueError(f"{KEY} must contain only ASCII characters, as it is sent in a header")
    with _listen(host, port) as listener:
        open_latest = partial(_open, env)
        reloader = ModelReloader(
            open_and_warm_up(open_latest), partial(latest_versions, env), open_latest
        )
        local = key is None and host in (*LOCAL, "::1")
        app = create_app(
            reloader,
            limits,
            key and key.strip(),
            (*LOCAL, *deployment.allowed_hosts) if local else None,
            deployment.root_path,
            deployment.cors_origins,
        )
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
            forwarded_allow_ips=deployment.forwarded_allow_ips,
        )
        url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        url += deployment.root_path
        count, version = len(reloader.retriever.gallery.snapshot()), reloader.retriever.version
        click.echo(f"Serving {count:,} photos of run {version} at {url} (press Ctrl+C to stop)")
        if key is None and not local:
            click.echo(
                f"anyone who can reach {host} can search: set {KEY} to require an API key", err=True
            )
        with suppress(KeyboardInterrupt):  # uvicorn raises it again after the graceful shutdown
            uvicorn.Server(config).run(sockets=[listener])


def _open(env: str | None) -> Retriever:
    """Open the latest run, and describe the photos that were added while it ran."""
    retriever = open_retriever(env)
    GalleryWriter(retriever).describe_waiting()
    return retriever


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
