import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.metrics.verification import sample_pairs, verification


@st.composite
def labels(draw, start):
    classes = draw(st.lists(st.integers(0, 3), min_size=1, max_size=15))
    ids = draw(st.permutations(range(start, start + len(classes))))
    return pd.Series(classes, index=ids)


@given(queries=labels(0), gallery=st.integers(0, 20).flatmap(labels), seed=st.integers(0, 9))
def test_each_query_gets_one_right_and_one_wrong_partner(queries, gallery, seed):
    def partners(query, same):
        fitting = (gallery == queries[query]) if same else (gallery != queries[query])
        return set(gallery.index[fitting]) - {query}

    expected = [query for query in queries.index if partners(query, True)]
    if not expected or any(not partners(query, False) for query in expected):
        with pytest.raises(ValueError, match=r"two classes|no pair"):
            sample_pairs(queries, gallery, seed)
        return
    pairs = sample_pairs(queries, gallery, seed)
    assert pairs.dtype == np.int64
    assert pairs[::2, 0].tolist() == pairs[1::2, 0].tolist() == expected
    assert pairs[:, 2].tolist() == [1, 0] * len(expected)
    for query, other, same in pairs.tolist():
        assert other in partners(query, same == 1)
    shuffled = gallery.sample(frac=1, random_state=seed)
    np.testing.assert_array_equal(pairs, sample_pairs(queries, shuffled, seed))


def test_every_partner_can_be_drawn_and_seeds_differ():
    labels = pd.Series([0, 0, 0, 1, 1])
    draws = [sample_pairs(labels, labels, seed) for seed in range(60)]
    first = {tuple(draw[0]) for draw in draws}, {tuple(draw[1]) for draw in draws}
    assert first == ({(0, 1, 1), (0, 2, 1)}, {(0, 3, 0), (0, 4, 0)})


def test_pairs_that_cannot_be_drawn_end_in_an_error():
    one_class = pd.Series([4, 4, 4])
    with pytest.raises(ValueError, match="two classes"):
        sample_pairs(one_class, one_class, 0)
    with pytest.raises(ValueError, match="no pair"):
        sample_pairs(pd.Series([1]), pd.Series([2]), 0)
    with pytest.raises(ValueError, match="no pair"):
        sample_pairs(one_class[:0], one_class[:0], 0)


def test_the_worked_example():
    measured = verification([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0])
    assert (measured.auc, measured.eer) == (0.75, 0.5)


def test_perfect_and_worst_separation():
    perfect = verification([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0])
    assert (perfect.auc, perfect.eer) == (1.0, 0.0)
    assert 0.2 < perfect.threshold <= 0.8
    worst = verification([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1])
    assert (worst.auc, worst.eer) == (0.0, 1.0)
    useless = verification([0.5] * 4, [1, 0, 1, 0])
    assert (useless.auc, useless.eer, useless.threshold) == (0.5, 0.5, 0.5)


def test_eer_is_interpolated_between_curve_points():
    # Accepting the best three pairs: 1/3 false, 2/2 true. Accepting two: 0 false, 1/2... in
    # between, false accepts x meet false rejects 1 - (1/2 + 3x/2) at x = 1/5.
    measured = verification([0.9, 0.5, 0.5, 0.1, 0.0], [1, 1, 0, 0, 0])
    assert measured.eer == pytest.approx(1 / 5)
    assert 0.5 <= measured.threshold <= 0.9


@given(
    pairs=st.lists(
        st.tuples(st.integers(-3, 3), st.integers(0, 1)), min_size=2, max_size=30
    ).filter(lambda drawn: len({label for _, label in drawn}) == 2)
)
def test_agrees_with_counting(pairs):
    scores, labels = (np.array(column) for column in zip(*pairs, strict=True))
    positive, negative = scores[labels == 1], scores[labels == 0]
    wins = sum((p > n) + (p == n) / 2 for p in positive for n in negative)
    measured = verification(scores, labels)
    assert measured.auc == pytest.approx(wins / (len(positive) * len(negative)))
    # At the two candidate thresholds around it, one error is above the EER and one below.
    rates = [((negative >= t).mean(), (positive < t).mean()) for t in [*np.unique(scores), 99]]
    assert min(max(pair) for pair in rates) >= measured.eer - 1e-12
    assert max(min(pair) for pair in rates) <= measured.eer + 1e-12
    assert min(scores) <= measured.threshold <= max(scores)
    assert measured.false_accepts[0] == measured.true_accepts[0] == 0
    assert measured.false_accepts[-1] == measured.true_accepts[-1] == 1


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([0.1, 0.2], [1, 1], "1 and 0"),
        ([], [], "1 and 0"),
        ([0.1, np.nan], [1, 0], "pair 1"),
        ([0.1, 0.2, 0.3], [1, 0], "must both be"),
        ([0.1, 0.2, 0.3], [1, 0, 2], "1 and 0"),
    ],
)
def test_degenerate_input_is_refused(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        verification(scores, labels)
