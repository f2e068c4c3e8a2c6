from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from car_retrieval.io.matrix import Matrix, write_matrix
from car_retrieval.search import tune as module
from car_retrieval.search.lopq.fit import LopqParams
from car_retrieval.search.lopq.index import LopqIndex
from car_retrieval.search.searcher import Searcher
from car_retrieval.search.tune import Setting, fastest, pareto_front, tune


def descriptors(count, seed, dimension=32):
    """Unit vectors around 40 centres, of falling variance."""
    centres = np.random.default_rng(0).normal(size=(40, dimension))
    rng = np.random.default_rng(seed)
    vectors = centres[rng.integers(0, 40, count)] + 0.5 * rng.normal(size=(count, dimension))
    vectors *= 0.93 ** np.arange(dimension)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


GALLERY, QUERIES = descriptors(1500, 1), descriptors(60, 2)


def setting(recall, speed):
    return Setting(LopqParams(), 0, recall, speed, 1.0, 1.0)


@pytest.fixture(scope="module")
def settings():
    """All speeds alike, so that the machine does not decide which settings are tried."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module._Bench, "_speed", lambda self, search: 100.0)
        return tune(GALLERY, QUERIES, 10, 0.9, 8, seed=3)


@cache
def fitted(params):
    index = LopqIndex(params)
    index.fit(GALLERY, 3)
    index.add(GALLERY)
    return index


def test_what_is_said_is_what_the_setting_finds(settings):
    """Each recall again, by sorting everything in float64 and comparing ids."""
    products = QUERIES.astype(float) @ GALLERY.T.astype(float)
    true = np.argsort(-products, axis=1)[:, :10]
    assert len(settings) > 8
    for one in settings[1:]:
        index = fitted(one.params)
        ids, _ = Searcher(index, GALLERY, one.rerank).search(QUERIES, 10)
        shares = [
            len(set(a) & set(b)) / 10 for a, b in zip(ids.tolist(), true.tolist(), strict=True)
        ]
        assert one.recall == pytest.approx(np.mean(shares), abs=0.002)
        assert one.bytes_per_vector == index.bytes_per_vector
        assert one.queries_per_second > 0
        assert one.fit_seconds > 0


def test_exact_search_comes_first(settings):
    assert settings[0].params is None
    assert (settings[0].recall, settings[0].bytes_per_vector) == (1, 128)
    assert all(one.params is not None for one in settings[1:])


def test_the_depth_is_the_shallowest_that_reaches_the_target(settings):
    reached = [one for one in settings[1:] if one.recall >= 0.9 and one.rerank]
    assert reached
    for one in reached:
        index = fitted(one.params)
        shallower = {20: 10, 50: 20, 100: 50, 250: 100}[one.rerank]
        ids, _ = Searcher(index, GALLERY, shallower).search(QUERIES, 10)
        products = np.take_along_axis(QUERIES @ GALLERY.T, ids, 1)
        threshold = -np.sort(-(QUERIES @ GALLERY.T), axis=1)[:, 9:10]
        assert (products >= threshold - 1e-6).mean() < 0.9


def test_codes_stay_within_the_budget_and_smaller_ones_are_tried(settings):
    sizes = {one.params.subquantisers * one.params.bits // 8 for one in settings[1:]}
    assert max(sizes) == 8
    assert 4 in sizes
    assert {one.params.splits for one in settings[1:]} == {1, 2}
    assert any(one.params.pca for one in settings[1:])
    assert any(one.params.quota for one in settings[1:])


def test_the_choice_reaches_the_target_or_is_the_nearest(settings):
    best = fastest(settings[1:], 0.9)
    assert best.recall >= 0.9
    assert all(
        one.recall < 0.9 or one.queries_per_second <= best.queries_per_second
        for one in settings[1:]
    )
    few = [setting(0.3, 9), setting(0.5, 2), setting(0.4, 5)]
    assert fastest(few, 0.95) is few[1]
    assert fastest(few, 0.4) is few[2]
    assert fastest(few, 0.3) is few[0]


def test_a_target_out_of_reach_still_measures():
    noise = np.random.default_rng(0).normal(size=(2, 3000, 24)).astype(np.float32)
    found = tune(noise[0], noise[1][:50], 5, 1.0, 4, seed=1)
    best = fastest(found[1:], 1.0)
    assert best.recall == max(one.recall for one in found[1:]) < 1
    assert all(one.params.quota is None for one in found[1:])  # a quota finds only less


def test_the_front():
    slow, dominated, middle, fast = (
        setting(0.99, 1),
        setting(0.8, 2),
        setting(0.9, 3),
        setting(0.5, 9),
    )
    assert pareto_front([middle, slow, fast, dominated]) == [fast, middle, slow]
    assert pareto_front([fast, replace(fast, recall=0.6)]) == [replace(fast, recall=0.6)]
    assert pareto_front([]) == []


def test_a_matrix_on_disk_gives_the_same(tmp_path, settings):
    for name, vectors in (("g", GALLERY), ("q", QUERIES)):
        write_matrix(tmp_path / f"{name}.npy", vectors)
    stored = tune(Matrix(tmp_path / "g.npy"), Matrix(tmp_path / "q.npy"), 10, 0.9, 8, seed=3)
    # Which way the descent goes depends on speed; what both measured must agree.
    both = {one.params: (one.recall, one.rerank) for one in settings}
    same = [(one.recall, one.rerank) == both[one.params] for one in stored if one.params in both]
    assert len(same) >= 5
    assert all(same)


@pytest.mark.parametrize(
    ("shape", "code_bytes"), [((256, 4), 4), ((300, 7), 5), ((300, 600), 32), ((260, 300), 2000)]
)
def test_parameters_fit_any_shape(shape, code_bytes):
    for lists in module.LISTS:
        for code in ((8, code_bytes), (4, code_bytes), (8, code_bytes // 2)):
            for kept in module.KEPT:
                params = module._params(lists, code, kept, shape)
                params.check(*shape)
                assert params.subquantisers * params.bits <= 8 * code_bytes
                assert (params.pca or shape[1]) <= min(shape[1], module.LARGEST_KEPT)
                assert not params.pca or params.pca <= shape[0]


def test_large_samples_are_cut(monkeypatch):
    monkeypatch.setattr(module, "QUERIES", 20)
    monkeypatch.setattr(module, "TRAINING", 300)
    bench = module._Bench(GALLERY, QUERIES, 10, 0.9, 1)
    assert bench.queries.shape == (20, 32)
    assert bench.training.shape == (300, 32)
    assert len(bench.measure(LopqParams(coarse=1, subquantisers=8))) > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gallery": GALLERY[:255]}, "255 vectors is too small"),
        ({"queries": QUERIES[:0]}, "no queries"),
        ({"queries": QUERIES[:, :9]}, "must have the same dimension"),
        ({"gallery": GALLERY[:, :3], "queries": QUERIES[:, :3]}, "at least 4"),
        ({"k": 0}, "k = 0"),
        ({"k": 1501}, "k = 1501 .* 1500"),
        ({"recall": 0.0}, "recall = 0"),
        ({"recall": 1.1}, "recall = 1.1"),
        ({"recall": float("nan")}, "recall = nan"),
        ({"code_bytes": 3}, "bytes = 3"),
    ],
)
def test_bad_input_is_one_line(changes, message):
    good = {"gallery": GALLERY, "queries": QUERIES, "k": 10, "recall": 0.9, "code_bytes": 8}
    with pytest.raises(ValueError, match=message):
        tune(**good | changes, seed=1)
