import numpy as np
import pytest

from car_retrieval.io.matrix import Matrix, write_matrix
from car_retrieval.search import build, comparison
from car_retrieval.search.build import fill, make_index
from car_retrieval.search.comparison import Task, exact_scores, measure, measure_exact
from car_retrieval.search.result import RetrievalResult
from car_retrieval.search.threads import available_threads

COLUMNS = [
    "batch q/s 1 thread",
    "batch q/s 2 threads",
    "single q/s 1 thread",
    "single q/s 2 threads",
    "fit s",
    "add s",
    "bytes/vector",
    "peak MB",
]
LOPQ = {"splits": 2, "coarse": 2, "subquantisers": 8, "bits": 8}
FLAT = {"factory": "Flat"}


def unit(rows, seed, width=16):
    vectors = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearest(task):
    """Ids of the k largest inner products, by sorting all in float64."""
    products = task.queries[task.query_ids].astype(float) @ task.gallery[task.rows].astype(float).T
    return task.rows[np.argsort(-products, axis=1)[:, : task.k]]


@pytest.fixture
def task(tmp_path):
    write_matrix(tmp_path / "g.npy", unit(300, 0))
    write_matrix(tmp_path / "q.npy", unit(20, 1))
    rows = np.flatnonzero(np.arange(300) % 3)
    queries = np.array([7, 2, 11, 19])
    gallery, asked = Matrix(tmp_path / "g.npy"), Matrix(tmp_path / "q.npy")
    return Task(asked, queries, gallery, rows, k=5, batch_size=3)


@pytest.mark.parametrize(("kind", "settings"), [("lopq", LOPQ), ("faiss", FLAT)])
def test_reranking_everything_is_a_naive_ranking_of_the_chosen_rows(task, kind, settings):
    _, row, hits = measure(kind, settings, len(task.rows), task, seed=0)
    np.testing.assert_array_equal(hits.query_ids, task.query_ids)
    np.testing.assert_array_equal(hits.hits, nearest(task))
    assert list(row) == COLUMNS


def test_a_searcher_that_looks_at_little_finds_less(task):
    settings = {"factory": "IVF16,Flat", "search": {"nprobe": 1}}
    *_, hits = measure("faiss", settings, 0, task, seed=0)
    assert (hits.hits != nearest(task)).any()
    assert np.isin(hits.hits[hits.hits >= 0], task.rows).all()


def test_measurements_make_sense(task):
    _, row, _ = measure("lopq", LOPQ, 20, task, seed=0)
    speeds = [row[name] for name in COLUMNS[:4] if "2" not in name or available_threads() > 1]
    assert np.isfinite([*speeds, row["fit s"], row["add s"], row["bytes/vector"]]).all()
    assert min(speeds) > 0
    assert row["bytes/vector"] > 8  # the codes alone
    assert row["peak MB"] >= 0


def test_exact_search_has_nothing_to_fit(task):
    row, hits = measure_exact(task)
    assert list(row) == COLUMNS
    assert row["bytes/vector"] == 4 * 16
    assert np.isnan([row["fit s"], row["add s"]]).all()
    assert row["batch q/s 1 thread"] > 0
    np.testing.assert_array_equal(hits.hits, nearest(task))


def test_more_threads_than_the_machine_has_are_not_measured(task, monkeypatch):
    monkeypatch.setattr(comparison, "THREADS", (1, 4096))
    row, _ = measure_exact(task)
    assert row["single q/s 1 thread"] > 0
    assert np.isnan(row["batch q/s 4096 threads"])


def test_scores_are_recomputed_whatever_the_searcher_said(task):
    hits = np.array([[1, 4], [2, -1], [5, 7], [-1, -1]])
    said = np.where(hits < 0, -np.inf, 99).astype(np.float32)
    scores = exact_scores(RetrievalResult(task.query_ids, hits, said), task)
    asked, gallery = task.queries[task.query_ids], task.gallery[:]
    expected = [
        [asked[q] @ gallery[hit] if hit >= 0 else -np.inf for hit in row]
        for q, row in enumerate(hits)
    ]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_no_queries(task):
    none = Task(task.queries, np.empty(0, np.int64), task.gallery, task.rows, k=5)
    _, row, hits = measure("faiss", FLAT, 5, none, seed=0)
    assert hits.hits.shape == (0, 5)
    assert np.isnan(row["batch q/s 1 thread"])
    assert exact_scores(hits, none).shape == (0, 5)


def test_a_gallery_smaller_than_k(task):
    few = Task(task.queries, task.query_ids, task.gallery, task.rows[:3], k=5)
    *_, hits = measure("faiss", FLAT, 0, few, seed=0)
    assert (hits.hits[:, :3] >= 0).all()
    assert (hits.hits[:, 3:] == -1).all()


class TestFill:
    def test_ids_are_rows_and_the_sample_is_seeded(self, task, monkeypatch):
        monkeypatch.setattr(build, "TRAINING", 64)
        monkeypatch.setattr(build, "ADD_BLOCK", 50)
        learnt = []
        for seed in (1, 1, 2):
            index = make_index("lopq", LOPQ)
            fit = index.fit
            monkeypatch.setattr(
                index,
                "fit",
                lambda vectors, seed, fit=fit: (learnt.append(vectors), fit(vectors, seed)),
            )
            fill(index, task.gallery, task.rows, seed)
            found, _ = index.search(task.gallery[:1], len(task.rows))
            assert sorted(found[0]) == task.rows.tolist()
        assert [len(vectors) for vectors in learnt] == [64] * 3
        np.testing.assert_array_equal(learnt[0], learnt[1])
        assert not np.array_equal(learnt[0], learnt[2])

    def test_too_few_vectors_are_said(self, task):
        with pytest.raises(ValueError, match=r"coarse = 8 .* at most 5"):
            fill(make_index("lopq", LOPQ | {"coarse": 8}), task.gallery, task.rows[:5], 0)
