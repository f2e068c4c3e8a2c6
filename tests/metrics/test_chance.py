"""What a random search finds."""

import numpy as np
import pandas as pd
import pytest

from car_retrieval.metrics.chance import chance_of_first_hit


def series(labels, start=0):
    return pd.Series(labels, index=range(start, start + len(labels)))


@pytest.mark.parametrize("own", [True, False])
def test_random_searches_stay_below_it(own) -> None:
    rng = np.random.default_rng(0)
    gallery = series(rng.choice(5, 60, p=[0.4, 0.3, 0.1, 0.1, 0.1]))
    queries = gallery[:40] if own else series(rng.integers(0, 6, 40), 100)
    drawn = []
    for query, class_ in queries.items():
        others = (gallery.drop(query) if own else gallery).to_numpy()
        if (others == class_).any():
            drawn.append(others[rng.integers(0, len(others), 2000)] == class_)
    scores = np.mean(drawn, axis=0)
    expected = scores.mean() + 3 * scores.std()
    assert chance_of_first_hit(queries, gallery, own) == pytest.approx(expected, abs=0.02)


def test_nothing_to_find_has_no_chance() -> None:
    assert np.isnan(chance_of_first_hit(series([1, 2]), series([3, 4], 10), False))
