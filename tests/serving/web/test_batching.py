"""Batched requests get the same results as single ones."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.gallery.record import photo_id
from car_retrieval.serving.retriever import Filters
from car_retrieval.serving.web.batching import Batcher
from car_retrieval.serving.web.query_result import Query, SearchOptions, run_queries

ID = [photo_id(f"cars/{name}.png") for name in ("red", "green", "blue")]


def together(
    asked: Sequence[Callable[[], Any]],
    work: Callable[[Sequence[Any]], Sequence[Any]],
    **options: Any,
) -> tuple[list[Any], list[int]]:
    """Return the results or errors of concurrent requests, and the batch sizes."""
    sizes: list[int] = []

    async def all_at_once() -> list[Any]:
        with ThreadPoolExecutor(1) as worker, ThreadPoolExecutor(4) as helpers:
            batcher = Batcher(work, worker, helpers, observe=sizes.append, **options)
            return await asyncio.gather(*map(batcher.submit, asked), return_exceptions=True)

    return asyncio.run(all_at_once()), sizes


def squares(numbers: Sequence[int]) -> list[int]:
    if 13 in numbers:
        raise ValueError("13 is not served")
    return [number**2 for number in numbers]


@given(st.lists(st.integers(0, 20), max_size=30), st.integers(1, 8), st.sampled_from([0.0, 0.01]))
def test_each_request_gets_its_own_result(
    numbers: list[int], max_size: int, max_wait: float
) -> None:
    asked = [lambda number=number: number for number in numbers]
    answers, sizes = together(asked, squares, max_size=max_size, max_wait=max_wait)
    for number, got in zip(numbers, answers, strict=True):
        if number == 13:
            assert isinstance(got, ValueError)
        else:
            assert got == number**2
    assert max(sizes, default=1) <= max_size
    if 13 not in numbers:
        assert sum(sizes) == len(numbers)


def test_requests_that_arrive_during_a_batch_form_the_next() -> None:
    begun = threading.Event()

    def slow(numbers: Sequence[int]) -> list[int]:
        if 0 in numbers:
            begun.set()
            time.sleep(0.1)
        return squares(numbers)

    def later(number: int) -> int:
        begun.wait(5)
        return number

    asked = [lambda: 0] + [lambda number=number: later(number) for number in (1, 2, 3)]
    answers, sizes = together(asked, slow, max_wait=0.0)
    assert answers == [0, 1, 4, 9]
    assert sizes == [1, 3]


def test_a_batch_waits_for_items_in_preparation() -> None:
    def prepared_late() -> int:
        time.sleep(0.05)
        return 2

    asked = [lambda: 1, prepared_late]
    assert together(asked, squares, max_wait=5.0) == ([1, 4], [2])
    assert together(asked, squares, max_wait=0.001) == ([1, 4], [1, 1])


def test_a_single_request_does_not_wait() -> None:
    start = time.monotonic()
    assert together([lambda: 3], squares, max_wait=60.0) == ([9], [1])
    assert time.monotonic() - start < 30


def test_a_failed_preparation_does_not_affect_others() -> None:
    def broken() -> int:
        raise ValueError("broken")

    (good, bad), sizes = together([lambda: 4, broken], squares, max_wait=1.0)
    assert good == 16
    assert isinstance(bad, ValueError)
    assert sizes == [1]


def test_cancelled_requests_are_not_processed() -> None:
    seen: list[int] = []

    def slow(numbers: Sequence[int]) -> list[int]:
        seen.extend(numbers)
        time.sleep(0.1)
        return squares(numbers)

    async def hang_up() -> int:
        with ThreadPoolExecutor(1) as worker, ThreadPoolExecutor(2) as helpers:
            batcher = Batcher(slow, worker, helpers)
            first = asyncio.create_task(batcher.submit(lambda: 1))
            await asyncio.sleep(0.03)
            second = asyncio.create_task(batcher.submit(lambda: 2))
            await asyncio.sleep(0.03)
            second.cancel()
            return await first

    assert asyncio.run(hang_up()) == 1
    assert seen == [1]


def test_queries_are_encoded_together_and_searched_with_their_own_options(
    retriever: Any, picture: Callable[..., bytes]
) -> None:
    other = type(retriever)("two")
    options = [
        SearchOptions(4, "exact", Filters()),
        SearchOptions(2, "exact", Filters(make="beta")),
        SearchOptions(1, "lopq", Filters(years=(2002, 2003))),
        None,
    ]
    asked = (("red", None), ("blue", None), (None, ID[1]), (None, ID[2]), ("green", ID[1]))
    queries = [
        Query(which, which.prepare(picture(colour)) if colour else None, own, how)
        for which in (retriever, other)
        for colour, own in asked
        for how in options
    ]
    alone = [run_queries([query])[0] for query in queries]
    retriever.sizes.clear()
    for one, expected in zip(run_queries(queries), alone, strict=True):
        assert one.descriptor == pytest.approx(expected.descriptor)
        assert one.result == expected.result
    assert retriever.sizes == [12]
