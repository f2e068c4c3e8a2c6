import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from car_retrieval.search.recall import recall_against_exact

INF = np.inf


def test_perfect_in_any_order_and_worst():
    exact = np.array([[0.9, 0.8, 0.7], [0.5, 0.4, 0.3]])
    assert recall_against_exact(exact[:, ::-1], exact, 3) == 1
    assert recall_against_exact(exact - 1, exact, 3) == 0
    assert recall_against_exact(np.full((2, 3), -INF), exact, 3) == 0


def test_worked_example():
    exact = np.array([[0.9, 0.8, 0.7, 0.6], [0.5, 0.4, 0.3, 0.2]])
    hits = np.array([[0.9, 0.7, 0.6, -INF], [0.4, 0.3, 0.1, -INF]])
    assert recall_against_exact(hits, exact, 1) == pytest.approx(1 / 2)
    assert recall_against_exact(hits, exact, 2) == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert recall_against_exact(hits, exact, 4) == pytest.approx((3 / 4 + 2 / 4) / 2)


def test_of_equally_good_neighbours_any_will_do_but_none_counts_twice():
    exact = np.array([[0.9, 0.8, 0.8]])
    assert recall_against_exact(np.array([[0.8, 0.8]]), exact, 2) == 1
    assert recall_against_exact(np.array([[0.9, 0.8, 0.8, 0.8]]), exact, 2) == 1


def test_a_deeper_list_of_candidates_finds_no_less():
    rng = np.random.default_rng(0)
    everything = np.sort(rng.normal(size=(7, 50)))[:, ::-1]
    candidates = rng.permuted(everything, axis=1)
    recalls = [recall_against_exact(candidates[:, :m], everything, 5) for m in range(51)]
    assert recalls[0] == 0
    assert recalls[-1] == 1
    assert recalls == sorted(recalls)


def test_fewer_than_k_are_all_wanted():
    exact = np.array([[0.9, 0.8, -INF], [0.7, -INF, -INF]])
    assert recall_against_exact(exact, exact, 3) == 1
    hits = np.array([[0.8, -INF, -INF], [-INF, -INF, -INF]])
    assert recall_against_exact(hits, exact, 3) == pytest.approx(0.25)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_nothing_to_find_is_nan(shape):
    assert np.isnan(recall_against_exact(np.zeros(shape), np.zeros(shape), 3))
    assert np.isnan(recall_against_exact(np.zeros((0, 3)), np.full((0, 3), -INF), 3))


def test_other_queries_are_refused():
    with pytest.raises(ValueError, match=r"3 queries .* 2 have"):
        recall_against_exact(np.zeros((3, 1)), np.zeros((2, 1)), 1)


@given(data=st.data())
def test_equals_counting(data):
    q, n, k = (data.draw(st.integers(low, high)) for low, high in ((1, 4), (1, 8), (1, 10)))
    products = data.draw(hnp.arrays(np.float32, (q, n), elements=st.integers(-2, 2).map(float)))
    exact = -np.sort(-products, axis=1)[:, :k]
    ids = np.array([data.draw(st.permutations(range(n))) for _ in range(q)])
    ids = ids[:, : data.draw(st.integers(0, n))]
    shares = []
    for row in range(q):
        threshold = sorted(products[row], reverse=True)[min(k, n) - 1]
        good = sum(products[row, i] >= threshold for i in ids[row])
        shares.append(min(good, min(k, n)) / min(k, n))
    scores = np.take_along_axis(products, ids, 1)
    assert recall_against_exact(scores, exact, k) == pytest.approx(np.mean(shares))
