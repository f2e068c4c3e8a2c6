import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from car_retrieval.search.lopq.multi_sequence import coarse_distances, multi_sequence, nearest_cells


def oracle(distances, sizes, quota):
    """Sort all cells by (distance, rank of i, rank of j), then cut at the quota."""
    splits, count = distances.shape
    ranks = [np.argsort(np.argsort(row, kind="stable")) for row in distances]
    if splits == 1:
        keys = [(distances[0, i], ranks[0][i], 0, i) for i in range(count)]
    else:
        keys = [
            (distances[0, i] + distances[1, j], ranks[0][i], ranks[1][j], i * count + j)
            for i in range(count)
            for j in range(count)
        ]
    cells, points = [], 0
    for *_, cell in sorted(keys):
        if points >= quota:
            break
        if sizes[cell]:
            cells.append(cell)
            points += sizes[cell]
    return cells


@settings(max_examples=200)
@given(data=st.data())
def test_the_order_is_that_of_sorting_all_cells(data):
    splits = data.draw(st.integers(1, 2))
    count = data.draw(st.integers(1, 80 if splits == 1 else 7))
    spread = data.draw(st.sampled_from([0, 2, 1000]))  # few values: many equal distances
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    distances = rng.integers(0, spread + 1, (splits, count)).astype(np.float32) / 7
    sizes = rng.integers(0, data.draw(st.integers(1, 5)), count**splits)
    quota = data.draw(st.integers(0, int(sizes.sum()) + 2))
    order = np.full(len(sizes), -9, np.int64)
    visited = multi_sequence(distances, np.argsort(distances, kind="stable"), sizes, quota, order)
    assert order[:visited].tolist() == oracle(distances, sizes, quota)


@given(
    splits=st.integers(1, 2),
    count=st.integers(1, 6),
    quota=st.integers(1, 60),
    seed=st.integers(0, 2**32),
)
def test_a_plan_holds_the_visits_of_each_query(splits, count, quota, seed):
    rng = np.random.default_rng(seed)
    queries = rng.integers(-3, 4, (5, splits, 4)).astype(np.float32)
    coarse = rng.integers(-3, 4, (splits, count, 4)).astype(np.float32)
    sizes = rng.integers(0, 4, count**splits)
    orders, visits = nearest_cells(queries, coarse, sizes, quota)
    for row, query in enumerate(queries):
        distances = ((query[:, None] - coarse) ** 2).sum(axis=2)  # exact: small integers
        assert orders[row, : visits[row]].tolist() == oracle(distances, sizes, quota)


def test_coarse_distances():
    rng = np.random.default_rng(0)
    queries, coarse = rng.normal(size=(7, 2, 33)), rng.normal(size=(2, 5, 33))
    found = coarse_distances(queries.astype(np.float32), coarse.astype(np.float32))
    own = (queries**2).sum(axis=2, keepdims=True)
    expected = ((queries[:, :, None] - coarse) ** 2).sum(axis=3)
    np.testing.assert_allclose(found + own, expected, rtol=1e-5)


def test_a_plan_is_no_wider_than_the_cells_that_can_be_visited():
    rng = np.random.default_rng(0)
    queries, coarse = rng.normal(size=(3, 2, 4)), rng.normal(size=(2, 100, 4))
    sizes = np.zeros(10_000, np.int64)
    sizes[[5, 77, 9_000]] = 4
    arguments = queries.astype(np.float32), coarse.astype(np.float32), sizes
    assert nearest_cells(*arguments, 1_000)[0].shape == (3, 3)
    assert nearest_cells(*arguments, 2)[0].shape == (3, 1)  # the first holds 4 points
