import faiss
import pytest

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
