"""The command `kedro serve`."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner

from car_retrieval.cli import cli
from car_retrieval.serving.web import serve as command
from car_retrieval.serving.web.middleware import Limits

PHOTO = Path(__file__).parents[3] / "data" / "01_raw" / "sample" / "sv_data" / "image"


def test_a_port_in_use_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already"):
            command.serve(None, "127.0.0.1", port, Limits())


def test_an_empty_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAR_RETRIEVAL_API_KEY", " ")
    with pytest.raises(ValueError, match="CAR_RETRIEVAL_API_KEY is empty"):
        command.serve(None, "127.0.0.1", 0, Limits())


def test_a_key_with_other_than_ascii_characters_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAR_RETRIEVAL_API_KEY", "schlüssel")
    with pytest.raises(ValueError, match=r"CAR_RETRIEVAL_API_KEY .* ASCII"):
        command.serve(None, "127.0.0.1", 0, Limits())


@pytest.mark.parametrize("missing", [["fastapi", "starlette"], ["python_multipart"]])
def test_a_missing_extra_is_reported(missing: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("car_retrieval.serving.web")]:
        monkeypatch.delitem(sys.modules, name)
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    result = CliRunner().invoke(cli, ["serve"])
    assert result.exit_code == 1
    assert f"{missing[0]} is not installed" in result.output
    assert "pip install -e '.[serve]'" in result.output


def test_a_run_is_served_until_interrupted(finished_run: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "kedro", "serve", "--port=0"],
        cwd=finished_run,
        env=os.environ | {"KEDRO_DISABLE_TELEMETRY": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        address = next(found for line in lines if (found := re.search(r"http://\S+\d", line)))[0]
        photo = next(PHOTO.rglob("*.jpg")).read_bytes()
        found = httpx2.post(f"{address}/search", files={"photo": ("photo", photo)}, data={"k": 3})
        assert found.status_code == 200, found.text
        assert len(found.json()["matches"]) == 3
        first = found.json()["matches"][0]["id"]
        assert httpx2.get(f"{address}/images/{first}").headers["Content-Type"] == "image/jpeg"
        heat = httpx2.post(f"{address}/heat", data={"id": first, "match": first}, timeout=60)
        assert heat.headers["Content-Type"] == "image/png"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
