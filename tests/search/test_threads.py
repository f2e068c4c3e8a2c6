import faiss
import numba
import pytest

from car_retrieval.search.threads import available_threads, threads


def now():
    return faiss.omp_get_max_threads(), numba.get_num_threads()


def test_all_libraries_are_held_and_let_go():
    before = now()
    with threads(1):
        assert now() == (1, 1)
    assert now() == before


def test_more_than_there_are_is_all_of_them():
    with threads(available_threads() + 5):
        assert now() == (available_threads(),) * 2


def test_an_error_lets_go_as_well():
    before = now()
    with pytest.raises(KeyError), threads(1):
        raise KeyError
    assert now() == before
