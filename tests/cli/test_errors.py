import itertools
import logging
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from kedro.io import DatasetError
from tests.conftest import kedro

from car_retrieval.cli import PlainErrorCommand
from car_retrieval.cli.errors import user_error


def chained(*errors):
    """The last error, caused by the one before it, and so on."""
    for cause, error in itertools.pairwise(errors):
        error.__cause__ = cause
    return errors[-1]


def test_the_innermost_error_about_input_is_found():
    inner = ValueError("m.npy is truncated")
    wrapped = chained(inner, DatasetError("Failed while loading"), RuntimeError("node failed"))
    assert user_error(wrapped) is inner
    middle = FileNotFoundError("no photo")
    assert user_error(chained(KeyError("a"), middle, DatasetError("x"))) is middle
    assert user_error(chained(inner, OSError("outer"))) is inner


@pytest.mark.parametrize("error", [None, KeyError("a"), TypeError("y")])
def test_an_error_of_the_code_is_none(error):
    assert user_error(error) is None


@pytest.mark.parametrize("error", [ValueError("bad"), OSError("bad"), FloatingPointError("bad")])
def test_a_user_reads_one_line(error):
    def fail():
        raise chained(error, DatasetError("Failed while saving"))

    result = CliRunner().invoke(PlainErrorCommand("run", callback=fail))
    assert result.exit_code == 1
    assert result.output.splitlines()[0] == "Error: bad"
    assert "Traceback" not in result.output


def test_an_error_of_the_code_keeps_its_traceback():
    def fail():
        raise KeyError("bug")

    result = CliRunner().invoke(PlainErrorCommand("run", callback=fail))
    assert isinstance(result.exception, KeyError)


def test_a_click_error_stays_one():
    def fail():
        raise click.UsageError("no such option")

    result = CliRunner().invoke(PlainErrorCommand("run", callback=fail))
    assert result.exit_code == 2


def test_kedros_own_errors_are_about_input_unless_code_failed_below() -> None:
    alone = DatasetError("Did not find any versions")
    assert user_error(alone) is alone
    assert user_error(chained(RuntimeError("out of memory"), DatasetError("saving"))) is None


def test_kedro_logs_what_is_a_fault_of_the_code_only(caplog) -> None:
    log = logging.getLogger("kedro.pipeline.node")
    for error in (ValueError("input"), KeyError("code")):
        try:
            raise error
        except Exception:
            log.error("Node failed: %s", error)
    log.error("no error at all")
    assert caplog.messages == ["Node failed: 'code'", "no error at all"]


def test_commands_begin_without_torch():
    code = (
        "import sys, car_retrieval.settings; from car_retrieval.cli import cli\n"
        "[cli.get_command(None, name) for name in cli.list_commands(None)]\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_run_stands_once_in_the_help(project):
    shown = kedro(project, "--help")
    assert re.findall(r"^  run ", shown.stdout, re.MULTILINE) == ["  run "]
