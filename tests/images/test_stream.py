from collections.abc import Iterator, Mapping
from threading import Event, Lock
from time import sleep

import pytest

from car_retrieval.images.decode import UnreadableImageError
from car_retrieval.images.stream import in_order, read


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 5, 100])
def test_results_come_in_order(workers, count):
    assert list(in_order(lambda i: i * i, count, workers, 4)) == [i * i for i in range(count)]


def test_an_early_number_may_finish_late():
    second_done = Event()

    def work(number: int) -> int:
        if number == 0:
            assert second_done.wait(10)
        else:
            second_done.set()
        return number

    assert list(in_order(work, 2, 2, 2)) == [0, 1]


def test_at_most_a_window_is_in_flight():
    lock, started, taken, most = Lock(), 0, 0, 0

    def work(number: int) -> int:
        nonlocal started, most
        with lock:
            started += 1
            most = max(most, started - taken)
        return number

    for _ in in_order(work, 200, 3, 5):
        with lock:
            taken += 1
    assert started == 200
    assert most <= 6  # the one just handed over counts until it is taken here


def test_an_error_is_raised_in_its_turn_and_ends_the_work():
    done = []

    def work(number: int) -> int:
        done.append(number)
        if number == 3:
            raise KeyError("three")
        return number

    results = in_order(work, 1000, 2, 4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="three"):
        next(results)
    assert len(done) < 20


def test_whoever_stops_early_stops_the_work():
    done = []

    def work(number: int) -> None:
        done.append(number)
        sleep(0.001)

    results = in_order(work, 1000, 1, 200)
    next(results)
    results.close()
    assert len(done) < 100  # 200 were under way


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        next(in_order(str, 3, 1, 0))


class Failing(Mapping[str, bytes]):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getitem__(self, key: str) -> bytes:
        raise self.error

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def test_read():
    assert read({"a": b"data"}, "a") == b"data"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("a"), "file not found"),
        (FileNotFoundError(2, "No such file or directory"), "file not found"),
        (PermissionError(13, "Permission denied"), "it cannot be read: Permission denied"),
    ],
)
def test_a_file_that_cannot_be_read(error, reason):
    with pytest.raises(UnreadableImageError, match=f"^{reason}$"):
        read(Failing(error), "a")
