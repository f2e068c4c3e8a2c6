import threading
import time

import faiss
import pytest

from car_retrieval.search import parallel
from car_retrieval.search.parallel import in_parallel
from car_retrieval.search.threads import available_threads, threads


def test_faiss_is_held_and_let_go():
    before = faiss.omp_get_max_threads()
    with threads(1):
        assert faiss.omp_get_max_threads() == 1
    assert faiss.omp_get_max_threads() == before


def test_more_than_there_are_is_all_of_them():
    with threads(available_threads() + 5):
        assert faiss.omp_get_max_threads() == available_threads()


def test_an_error_lets_go_as_well():
    before = faiss.omp_get_max_threads()
    with pytest.raises(KeyError), threads(1):
        raise KeyError
    assert faiss.omp_get_max_threads() == before


def test_searches_that_overlap_hold_blas_and_let_it_go(monkeypatch):
    monkeypatch.setattr(parallel, "_pool", parallel._pool.__wrapped__)  # not one for both

    def blas() -> list[int]:  # of those whose limit is the process's; others have one a thread
        pools = [pool for pool in parallel._blas().info() if pool["user_api"] == "blas"]
        return [pool["num_threads"] for pool in pools if pool["threading_layer"] != "openmp"]

    monkeypatch.setattr(faiss, "omp_get_max_threads", lambda: 2)
    before = blas()
    first, second, held = threading.Event(), threading.Event(), []

    def enters(rows: slice) -> None:
        first.set()
        second.wait(0.2)

    def overlaps(rows: slice) -> None:
        second.set()
        time.sleep(0.1)  # the other is through, if they run together
        held.extend(blas())

    one = threading.Thread(target=in_parallel, args=(enters, 2, 1))
    one.start()
    first.wait()
    in_parallel(overlaps, 2, 1)
    one.join()
    assert set(held) == {1}
    assert blas() == before
