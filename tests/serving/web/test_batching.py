"""Requests answered together are answered as if alone."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from car_retrieval.serving.retriever import Where
from car_retrieval.serving.web.batching import Batcher
from car_retrieval.serving.web.query_result import Options, Query, answer


def together(
    asked: Sequence[Callable[[], Any]],
    work: Callable[[Sequence[Any]], Sequence[Any]],
    **options: Any,
) -> tuple[list[Any], list[int]]:
    """Answers, or errors, of all that is asked at once; and the sizes of the batches."""
    sizes: list[int] = []

    async def all_at_once() -> list[Any]:
        with ThreadPoolExecutor(1) as worker, ThreadPoolExecutor(4) as helpers:
            batcher = Batcher(work, worker, helpers, observe=sizes.append, **options)
            return await asyncio.gather(*map(batcher.ask, asked), return_exceptions=True)

    return asyncio.run(all_at_once()), sizes


def squares(numbers: Sequence[int]) -> list[int]:
    if 13 in numbers:
        raise ValueError("13 is not served")
    return [number**2 for number in numbers]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 20), max_size=30),
    st.integers(1, 8),
    st.sampled_from([0.0, 0.01]),
)
def test_each_gets_its_own_answer(numbers: list[int], largest: int, patience: float) -> None:
    asked = [lambda number=number: number for number in numbers]
    answers, sizes = together(asked, squares, largest=largest, patience=patience)
    for number, got in zip(numbers, answers, strict=True):
        if number == 13:
            assert isinstance(got, ValueError)
        else:
            assert got == number**2
    assert max(sizes, default=1) <= largest
    if 13 not in numbers:
        assert sum(sizes) == len(numbers)


def test_what_comes_meanwhile_is_one_batch() -> None:
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
    answers, sizes = together(asked, slow, patience=0.0)
    assert answers == [0, 1, 4, 9]
    assert sizes == [1, 3]


def test_what_is_being_prepared_is_waited_for() -> None:
    def prepared_late() -> int:
        time.sleep(0.05)
        return 2

    asked = [lambda: 1, prepared_late]
    assert together(asked, squares, patience=5.0) == ([1, 4], [2])
    assert together(asked, squares, patience=0.001) == ([1, 4], [1, 1])


def test_alone_nobody_waits() -> None:
    start = time.monotonic()
    assert together([lambda: 3], squares, patience=60.0) == ([9], [1])
    assert time.monotonic() - start < 30


def test_what_cannot_be_prepared_harms_nobody() -> None:
    def broken() -> int:
        raise ValueError("broken")

    (good, bad), sizes = together([lambda: 4, broken], squares, patience=1.0)
    assert good == 16
    assert isinstance(bad, ValueError)
    assert sizes == [1]


def test_who_hangs_up_is_not_worked_for() -> None:
    seen: list[int] = []

    def slow(numbers: Sequence[int]) -> list[int]:
        seen.extend(numbers)
        time.sleep(0.1)
        return squares(numbers)

    async def hang_up() -> int:
        with ThreadPoolExecutor(1) as worker, ThreadPoolExecutor(2) as helpers:
            batcher = Batcher(slow, worker, helpers)
            first = asyncio.create_task(batcher.ask(lambda: 1))
            await asyncio.sleep(0.03)
            second = asyncio.create_task(batcher.ask(lambda: 2))
            await asyncio.sleep(0.03)
            second.cancel()
            return await first

    assert asyncio.run(hang_up()) == 1
    assert seen == [1]


def test_queries_are_described_together_and_searched_by_their_own_options(
    retriever: Any, picture: Callable[..., bytes]
) -> None:
    other = type(retriever)("two")
    options = [
        Options(4, "exact", Where()),
        Options(2, "exact", Where(make="beta")),
        Options(1, "lopq", Where(years=(2002, 2003))),
        None,
    ]
    queries = [
        Query(which, which.prepare(picture(colour)) if colour else None, row, how)
        for which in (retriever, other)
        for colour, row in (("red", None), ("blue", None), (None, 1), (None, 2), ("green", 1))
        for how in options
    ]
    alone = [answer([query])[0] for query in queries]
    retriever.sizes.clear()
    for one, expected in zip(answer(queries), alone, strict=True):
        assert one.descriptor == pytest.approx(expected.descriptor)
        assert one.answer == expected.answer
    assert retriever.sizes == [12]
