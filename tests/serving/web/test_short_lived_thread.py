import threading

import psutil
import pytest
import torch
from tests.serving.web.test_model_reloader import until

from car_retrieval.serving.web import serve as command
from car_retrieval.serving.web.middleware import Limits
from car_retrieval.serving.web.short_lived_thread import run_in_short_lived_thread


def parallel_sum() -> float:
    """Sum a tensor large enough for torch to use several threads."""
    return float(torch.ones(2**22).sum())


def test_its_threads_end() -> None:
    before = psutil.Process().num_threads()
    assert run_in_short_lived_thread(parallel_sum) == 2**22
    until(lambda: psutil.Process().num_threads() <= before)  # they may take a moment to end


def test_errors_are_raised_in_the_caller() -> None:
    with pytest.raises(KeyError):
        run_in_short_lived_thread(lambda: {}["one"])


def test_the_service_opens_a_run_in_a_short_lived_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    class OpenedError(Exception):
        pass

    def opening(env: str | None) -> None:
        raise OpenedError(threading.current_thread().name)

    monkeypatch.setattr(command, "open_retriever", opening)
    with pytest.raises(OpenedError, match="short-lived"):
        command.serve(None, "127.0.0.1", 0, Limits())
