"""Index sizes that follow the number of photos."""

from dataclasses import asdict

import numpy as np
import pytest

from car_retrieval.search.build import fill, make_index
from car_retrieval.search.lopq.fit import LopqParams
from car_retrieval.search.sizes import changes, fitting

LOPQ = asdict(LopqParams(coarse=8, subquantisers=32))


def faiss(factory: str) -> dict:
    return {"factory": factory, "search": {}}


@pytest.mark.parametrize(("photos", "dimension"), [(1, 320), (2, 12), (10, 24), (24, 64)])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("lopq", LOPQ),
        ("lopq", LOPQ | {"bits": 4, "pca": 64}),
        ("faiss", faiss("IVF32,PQ64x4fs")),
        ("faiss", faiss("OPQ16_256,IVF256,PQ16x4fs")),
        ("faiss", faiss("IVF32,RaBitQ")),
        ("faiss", faiss("HNSW32")),
    ],
)
def test_few_photos_can_be_indexed(kind: str, settings: dict, photos: int, dimension: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(photos, dimension)).astype(np.float32)
    index = make_index(kind, fitting(kind, settings, photos, dimension))
    fill(index, vectors, np.arange(photos), seed=0)
    found, _ = index.search(vectors, 1)
    assert (found >= 0).all()


def test_enough_photos_change_nothing() -> None:
    searchers = {
        "lopq": ("lopq", LOPQ | {"pca": 64}),
        "ivf": ("faiss", faiss("OPQ32_128,IVF32,PQ32x4fs")),
    }
    assert changes(searchers, 8 * 32, 512) == ""
    for kind, settings in searchers.values():
        assert fitting(kind, settings, 8 * 32, 512) == settings


def test_changes_are_named() -> None:
    searchers = {"mine": ("lopq", LOPQ), "other": ("faiss", faiss("IVF32,PQ64x4fs"))}
    said = changes(searchers, 24, 16)
    assert said == (
        "mine coarse 8 → 3, mine subquantisers 32 → 16, "
        "other factory IVF32,PQ64x4fs → IVF3,PQ16x4fs"
    )
