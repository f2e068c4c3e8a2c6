from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pytorch_metric_learning.utils import common_functions

from car_retrieval.training.samplers import SAMPLERS, m_per_class, pk, shuffle, tuples

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=40).map(np.array)
SEEDS = st.integers(0, 5)


def rng(seed=0):
    return np.random.default_rng(seed)


def check_draws(sampler, labels, batch_size, seed, **args):
    """The batches of an epoch, after a look at whether the seed alone decides them."""
    batches, again = (
        [batch.tolist() for batch in sampler(labels, batch_size, rng(seed), **args)]
        for _ in range(2)
    )
    assert batches == again
    assert all(len(batch) > 0 for batch in batches)
    return batches


@given(labels=LABELS, batch_size=st.integers(2, 9), seed=SEEDS)
def test_shuffle_takes_every_image_once(labels, batch_size, seed):
    batches = check_draws(shuffle, labels, batch_size, seed)
    drawn = np.concatenate([[], *batches]).tolist()
    alone = len(labels) % batch_size == 1
    assert len(set(drawn)) == len(drawn) == len(labels) - alone
    assert all(1 < len(batch) <= batch_size for batch in batches)


@given(labels=LABELS, classes=st.integers(1, 4), photos=st.integers(2, 5), seed=SEEDS)
def test_pk_takes_groups_of_one_class(labels, classes, photos, seed):
    batches = check_draws(pk, labels, classes * photos, seed, photos_per_class=photos)
    groups = np.concatenate(batches).reshape(-1, photos)
    assert (labels[groups] == labels[groups][:, :1]).all()
    assert [len(batch) for batch in batches[:-1]] == [classes * photos] * (len(batches) - 1)
    assert len(batches[-1]) <= classes * photos
    # Each image at least once, and only as many more as fill up the last group of its class.
    assert set(groups.ravel()) == set(range(len(labels)))
    sizes = Counter(labels.tolist())
    assert len(groups) == sum(-(-size // photos) for size in sizes.values())


def test_pk_mixes_the_classes():
    labels = np.repeat(np.arange(30), 8)
    first = next(pk(labels, 32, rng()))
    assert len(set(labels[first])) > 4  # of at most eight


@pytest.mark.parametrize(("batch_size", "photos"), [(10, 4), (2, 4)])
def test_pk_needs_whole_groups(batch_size, photos):
    with pytest.raises(ValueError, match=f"training.batch_size = {batch_size} is not a multiple"):
        next(pk(np.zeros(9), batch_size, rng(), photos_per_class=photos))


@given(labels=LABELS, batch_size=st.integers(1, 30), negatives=st.integers(1, 5), seed=SEEDS)
def test_tuples(labels, batch_size, negatives, seed):
    sizes = Counter(labels.tolist())
    assume(len(sizes) > 1 and max(sizes.values()) > 1)
    batches = check_draws(tuples, labels, batch_size, seed, negatives=negatives)
    width = 2 + negatives
    assert all(len(batch) <= max(batch_size, width) for batch in batches)
    rows = np.concatenate(batches).reshape(-1, width)
    anchor, positive, others = rows[:, 0], rows[:, 1], rows[:, 2:]
    assert sorted(anchor) == [i for i, label in enumerate(labels) if sizes[label] > 1]
    assert (labels[anchor] == labels[positive]).all()
    assert (anchor != positive).all()
    assert (labels[others] != labels[anchor][:, None]).all()


def test_tuples_reach_every_image():
    labels = np.array([0, 0, 0, 1, 2, 2, 2, 2])[rng(3).permutation(8)]
    positives, negatives = ({(labels[i], i): set() for i in range(len(labels))} for _ in range(2))
    for seed in range(100):
        for batch in tuples(labels, 6, rng(seed)):
            anchor, positive, *others = batch
            positives[labels[anchor], anchor].add(positive)
            negatives[labels[anchor], anchor].update(others)
    for i, label in enumerate(labels):
        if label != 1:
            same = set(np.flatnonzero(labels == label))
            assert positives[label, i] == same - {i}
            assert negatives[label, i] == set(range(8)) - same


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [5]])
def test_tuples_need_a_positive_and_a_negative(labels):
    with pytest.raises(ValueError, match="two classes, one of them with two photos"):
        next(tuples(np.array(labels), 6, rng()))


@given(labels=LABELS, classes=st.integers(1, 3), m=st.integers(1, 4), seed=SEEDS)
def test_m_per_class(labels, classes, m, seed):
    assume(len(set(labels.tolist())) >= classes)
    np.random.seed(3)
    before = np.random.get_state()[1].tolist()
    batches = check_draws(m_per_class, labels, classes * m, seed, m=m)
    assert np.random.get_state()[1].tolist() == before
    assert common_functions.NUMPY_RANDOM is np.random
    assert len(batches) == max(1, len(labels) // (classes * m))
    sizes = Counter(labels.tolist())
    for batch in batches:
        counts = Counter(labels[batch].tolist())
        assert list(counts.values()) == [m] * classes
        for class_ in counts:
            own = [i for i in batch if labels[i] == class_]
            assert len(set(own)) == m or sizes[class_] < m


@pytest.mark.parametrize(
    ("batch_size", "args", "message"),
    [
        (12, {"m": 4}, "batches of 12 and m = 4 .* 2 classes: .*unique labels"),
        (5, {"m": 3}, "divide"),
        (8, {"m": 4, "length_before_new_iter": 4}, "length_before_new_iter = 4 is less"),
    ],
)
def test_m_per_class_says_what_does_not_fit(batch_size, args, message):
    with pytest.raises(ValueError, match=rf"training\.sampler: MPerClassSampler .*{message}"):
        next(m_per_class(np.repeat([0, 1], 9), batch_size, rng(), **args))
    assert common_functions.NUMPY_RANDOM is np.random


@pytest.mark.parametrize("name", SAMPLERS)
def test_each_epoch_differs(name):
    labels = np.repeat(np.arange(5), 8)
    first, second = (
        [batch.tolist() for batch in SAMPLERS[name](labels, 12, rng(seed))] for seed in (1, 2)
    )
    assert first != second
