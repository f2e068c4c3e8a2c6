import os
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a worker per core

settings.register_profile("suite", max_examples=40, deadline=None)
settings.load_profile("suite")
settings.register_profile("thorough", max_examples=1000, deadline=None)  # --hypothesis-profile

ROOT = Path(__file__).parents[1]
QUICK = {
    "data_processing.image_size": 32,
    "training.epochs": 1,
    "training.schedule": "step",  # does not depend on the number of epochs, so that runs go on
    "training.images_per_epoch": 128,
    "training.dimension": 64,
    "evaluation.shown_queries": 1,
}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two workers for the whole suite, none for what is named: they would take longer to start."""
    return 0 if config.option.file_or_dir else min(2, os.cpu_count() or 1)


class Scheduling(LoadFileScheduling):
    """A file stays on one worker, and so do all files with tests of the sample's run."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "run" if "finished_run" in (ROOT / file).read_text() else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of the sample's run, which take longest."""
    items.sort(key=lambda item: "first_run" not in getattr(item, "fixturenames", ()))


def link(path: Path, target: Path) -> None:
    """Make a symbolic link, or skip the test where the system refuses (Windows, some disks)."""
    try:
        path.symlink_to(target, target_is_directory=target.is_dir())
    except (OSError, NotImplementedError) as error:
        pytest.skip(f"no symbolic links here: {error}")


def make_project(folder: Path) -> Path:
    """A project of its own for results, over this checkout's code, configuration and sample."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    (folder / "src").mkdir()
    link(folder / "src" / "car_retrieval", ROOT / "src" / "car_retrieval")
    (folder / "data" / "01_raw").mkdir(parents=True)
    link(folder / "data" / "01_raw" / "sample", ROOT / "data" / "01_raw" / "sample")
    link(folder / "notebooks", ROOT / "notebooks")
    return folder


def kedro(
    project: Path, *arguments: str, timeout: float = 300, **environment: str
) -> subprocess.CompletedProcess:
    """Run a kedro command in a project as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=project,
        env={name: value for name, value in os.environ.items() if name != "KEDRO_ENV"}
        | {"KEDRO_DISABLE_TELEMETRY": "1", "COLUMNS": "100"}
        | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def command(folder: Path, *arguments: str, **environment: str) -> Result:
    """Run a command of the project in this process: no six seconds of imports."""
    from kedro.framework.project import configure_project

    from car_retrieval.cli import cli

    configure_project("car_retrieval")
    with chdir(folder):
        env = {"KEDRO_ENV": None, "COLUMNS": "100"} | environment
        return CliRunner().invoke(cli, arguments, env=env, catch_exceptions=False)


def params(**changes: object) -> str:
    """`--params` for a quick run, with changes (`training__epochs=2`)."""
    wanted = QUICK | {name.replace("__", "."): value for name, value in changes.items()}
    return "--params=" + ",".join(f"{name}={value}" for name, value in wanted.items())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project without results."""
    return make_project(tmp_path)


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project in which the main job was run once on the sample, and what it printed."""
    folder = make_project(tmp_path_factory.mktemp("project"))
    run = kedro(folder, "run", params())
    assert run.returncode == 0, run.stdout + run.stderr
    return folder, run.stdout


@pytest.fixture(scope="session")
def finished_run(first_run: tuple[Path, str]) -> Path:
    """A project in which the main job was run on the sample."""
    return first_run[0]
