"""Dockerfile and compose.yml agree with the project; CI cannot build them."""

import json
import re
from fnmatch import fnmatch
from pathlib import Path

import yaml
from click.testing import CliRunner

from car_retrieval.cli import cli
from car_retrieval.serving.web.serve import KEY, SHUTDOWN_TIMEOUT

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
(SERVICE,) = yaml.safe_load((ROOT / "compose.yml").read_text())["services"].values()


def instructions(name: str) -> list[str]:
    text = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^{name} +(.+)$", text, re.MULTILINE)


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    copied = [line.split()[:-1] for line in instructions("COPY") if "--from" not in line]
    for source in (name for line in copied for name in line):
        assert (ROOT / source).exists()
        assert source in kept
    readme = re.search(r'readme = "(.+)"', (ROOT / "pyproject.toml").read_text())
    assert readme
    assert readme[1] in kept


def test_the_extras_exist() -> None:
    (extras,) = re.findall(r'"\.\[(.+?)\]"', DOCKERFILE)
    text = (ROOT / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = \[", text, re.MULTILINE) for extra in extras.split(","))


def test_the_service_runs_as_another_user_and_on_the_checked_port() -> None:
    assert instructions("USER")[-1] not in ("root", "0")
    (port,) = instructions("EXPOSE")
    (check,) = instructions("HEALTHCHECK")
    assert f"http://127.0.0.1:{port}/health" in check
    assert SERVICE["ports"] == [f"127.0.0.1:{port}:{port}"]
    kedro, *arguments = json.loads(instructions("ENTRYPOINT")[-1])
    assert kedro == "kedro"
    help_ = CliRunner().invoke(cli, [arguments[0], "--help"]).output
    assert all(argument.split("=")[0] in help_ for argument in arguments[1:])
    assert re.search(rf"--port.*{port}", help_, re.DOTALL)


def test_compose_mounts_what_the_image_lacks_and_asks_for_a_key() -> None:
    (folder, *_) = instructions("WORKDIR")
    for volume in SERVICE["volumes"]:
        source, target, mode = volume.split(":")
        assert (ROOT / source).is_dir()
        assert fnmatch(target, f"{folder}/*")
        assert mode == "ro"
    assert KEY in SERVICE["environment"]
    assert int(SERVICE["stop_grace_period"].removesuffix("s")) > SHUTDOWN_TIMEOUT
