import threading

import psutil
import pytest
import torch
from tests.serving.web.test_model_reloader import until

from car_retrieval.serving.web import serve as command
from car_retrieval.serving.web.middleware import Limits
from car_retrieval.serving.web.short_lived_thread import apart


def added_up() -> float:
    """In as many threads as torch takes: so large that it shares the work out."""
    return float(torch.ones(2**22).sum())


def test_nothing_is_left_of_its_threads() -> None:
    before = psutil.Process().num_threads()
    assert apart(added_up) == 2**22
    until(lambda: psutil.Process().num_threads() <= before)  # they take a moment to go


def test_errors_come_through() -> None:
    with pytest.raises(KeyError):
        apart(lambda: {}["one"])


def test_the_service_opens_a_run_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    class OpenedError(Exception):
        pass

    def opening(env: str | None) -> None:
        raise OpenedError(threading.current_thread().name)

    monkeypatch.setattr(command, "open_retriever", opening)
    with pytest.raises(OpenedError, match="apart"):
        command.serve(None, "127.0.0.1", 0, Limits())
