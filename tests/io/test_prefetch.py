import threading

import pytest

from car_retrieval.io.prefetch import prefetch


def test_the_next_is_read_while_the_present_is_used():
    begun = {item: threading.Event() for item in range(4)}

    def read(item):
        begun[item].set()
        return -item

    results = []
    for item, result in enumerate(prefetch(read, range(4))):
        results.append(result)
        assert item == 3 or begun[item + 1].wait(10)
        assert item >= 2 or not begun[item + 2].is_set()  # one ahead, not all
    assert results == [0, -1, -2, -3]


def test_nothing_to_read():
    assert list(prefetch(abs, [])) == []


def test_an_error_comes_when_its_turn_does():
    results = prefetch(lambda item: 1 / item, [1, 2, 0, 4])
    assert [next(results), next(results)] == [1, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_who_stops_early_leaves_no_thread():
    results = prefetch(abs, range(10))
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reader")]
