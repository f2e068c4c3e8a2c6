import pytest

from car_retrieval.sample.tree import compcars_tree

SMALL = {
    "models": 6,
    "web_photos": 70,
    "surveillance_photos": 30,
    "surveillance_models": 4,
    "width": 64,
    "seed": 3,
    "workers": 1,
}


@pytest.fixture(scope="session")
def small() -> dict[str, int]:
    return dict(SMALL)


@pytest.fixture(scope="session")
def tree() -> dict[str, bytes]:
    """A small tree: content by relative path."""
    return dict(compcars_tree(**SMALL))
