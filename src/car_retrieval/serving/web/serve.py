"""Run the service for `kedro serve`."""

import os
import socket
from contextlib import suppress
from functools import partial

import click
import uvicorn

from car_retrieval.serving.run_artifacts import newest_versions, open_retriever
from car_retrieval.serving.web.app import create_app
from car_retrieval.serving.web.middleware import Limits
from car_retrieval.serving.web.model_reloader import Live, opened

KEY = "CAR_RETRIEVAL_API_KEY"
LOCAL = ("localhost", "127.0.0.1", "[::1]")
PATIENCE = 30  # seconds that requests under way get when the service is stopped


def serve(env: str | None, host: str, port: int, limits: Limits) -> None:
    """Open the newest run and serve it until SIGINT or SIGTERM.

    Args:
        env: the environment whose runs are served.
        host: the address to listen on.
        port: 0 takes a free one.
        limits: of requests.

    Raises:
        ValueError: there is no run to serve, or the key is empty or not ASCII.
        OSError: the address is taken or not this machine's.
    """
    key = os.environ.get(KEY)
    if key is not None and not key.strip():
        raise ValueError(f"{KEY} is empty: set it to a key, or unset it to let everybody in")
    if key is not None and not key.isascii():
        raise ValueError(f"{KEY} may hold ASCII characters only: headers carry no others safely")
    with _listening(host, port) as listener:
        reopen = partial(open_retriever, env)
        live = Live(opened(reopen), lambda: newest_versions(env), reopen)
        local = key is None and host in (*LOCAL, "::1")
        app = create_app(live, limits, key and key.strip(), LOCAL if local else None)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, timeout_graceful_shutdown=PATIENCE
        )
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        photos, version = len(live.retriever.photos), live.retriever.version
        click.echo(f"{photos:,} photos of run {version} at {address} (Ctrl+C stops)")
        if key is None and not local:
            click.echo(
                f"anybody who reaches {host} may search: set {KEY} to ask for a key", err=True
            )
        with suppress(KeyboardInterrupt):  # raised anew once what was under way is finished
            uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
