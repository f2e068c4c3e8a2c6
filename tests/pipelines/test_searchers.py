"""The comparison of searchers as nodes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.parameters import evaluation_params

from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.metrics.retrieval import per_query, summarise
from car_retrieval.params import EvaluationParams, ExpansionParams
from car_retrieval.pipelines.evaluation import nodes
from car_retrieval.pipelines.searchers.nodes import compare_searchers, index_gallery
from car_retrieval.search.lopq.index import LopqIndex

LOPQ = {"kind": "lopq", "coarse": 2, "subquantisers": 4, "rerank": 0}
ALL = {"kind": "faiss", "factory": "Flat", "rerank": 0}
LITTLE = {"kind": "faiss", "factory": "IVF8,Flat", "search": {"nprobe": 1}, "rerank": 0}


def photos(rows: int) -> pd.DataFrame:
    table = pd.DataFrame({"Path": [f"{row}.jpg" for row in range(rows)], "Index": range(rows)})
    return table.assign(Hash=table["Path"], Class=table["Index"] % 5)


def matrix(path: Path, rows: int, encoder: str = "one") -> Matrix:
    vectors = np.random.default_rng(rows).normal(size=(rows, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    attributes = {"encoder": {"weights": encoder}, "photos": digest(photos(rows))}
    write_matrix(path, MatrixStream([vectors], attributes))
    return Matrix(path)


@pytest.fixture
def gallery(tmp_path: Path) -> Matrix:
    return matrix(tmp_path / "g.npy", 60)


def inputs(gallery: Matrix, queries: Matrix, params: EvaluationParams) -> tuple:
    """Every other gallery photo is searched for a few of the queries."""
    labels = [photos(len(each)).set_index("Index")["Class"] for each in (queries, gallery)]
    return (queries, gallery, labels[0].iloc[[5, 1, 2]], labels[1].iloc[::2]), params


def evaluation(**searchers: dict) -> EvaluationParams:
    return evaluation_params(k=3, recall_at=[1], searchers=searchers)


def compared(given: tuple, params: EvaluationParams) -> pd.DataFrame:
    """The table of a comparison whose gallery is what is searched."""
    return compare_searchers(*given, given[1], params)[0].set_index("searcher")


def test_scores_of_the_splits_own_metrics(gallery: Matrix, tmp_path: Path) -> None:
    queries = matrix(tmp_path / "q.npy", 9)
    given, params = inputs(gallery, queries, evaluation(everything=ALL, little=LITTLE, lopq=LOPQ))
    hits = nodes.search(*given, params)
    table = compared(given, params)
    assert list(table.index) == ["exact", "everything", "little", "lopq"]
    expected = summarise(per_query(hits, *given[-2:], (1,), 3), given[-1], 3)
    for name in ("exact", "everything"):
        assert table.loc[name, "mAP@3"] == pytest.approx(expected["mAP@3"])
        assert table.loc[name, "R@1"] == pytest.approx(expected["R@1"])
        assert table.loc[name, "recall@3"] == 1
    assert table.loc["little", "recall@3"] < 1


def test_a_collection_that_queries_itself(gallery: Matrix) -> None:
    """Every searcher leaves out the query's own photo, whose score is the highest."""
    chosen = photos(60).set_index("Index")["Class"].iloc[::2]
    rabitq = {"kind": "faiss", "factory": "SQ8", "rerank": 10}
    params = evaluation(everything=ALL, lopq=LOPQ | {"rerank": 60}, coded=rabitq)
    given = (gallery, gallery, chosen, chosen)
    hits = nodes.search(*given, params)
    vectors = gallery[:][chosen.index]
    products = vectors @ vectors.T
    np.fill_diagonal(products, -np.inf)
    nearest = chosen.index.to_numpy()[np.argsort(-products, axis=1)]
    np.testing.assert_array_equal(hits.hits[:, :5], nearest[:, :5])

    found = chosen.loc[nearest.ravel()].to_numpy().reshape(nearest.shape)
    right = (found == chosen.to_numpy()[:, None])[:, 0].mean()
    table = compared(given, params)
    for name in ("exact", "everything", "lopq", "coded"):
        assert table.loc[name, "recall@3"] == 1
        assert table.loc[name, "R@1"] == pytest.approx(right)


def test_reranking_leaves_the_comparison_alone(gallery: Matrix, tmp_path: Path) -> None:
    given, params = inputs(
        gallery, matrix(tmp_path / "q.npy", 9), evaluation(everything=ALL, lopq=LOPQ)
    )
    mixed = params.model_copy(update={"reranking": ExpansionParams(kind="expansion", query_k=3)})
    assert (nodes.search(*given, mixed).hits != nodes.search(*given, params).hits).any()
    tables = [compared(given, each)[["mAP@3", "R@1", "recall@3"]] for each in (params, mixed)]
    pd.testing.assert_frame_equal(*tables)


def test_a_searcher_that_does_not_fit_is_named(gallery: Matrix, tmp_path: Path) -> None:
    bad = LOPQ | {"subquantisers": 6}
    given, params = inputs(gallery, matrix(tmp_path / "q.npy", 9), evaluation(mine=bad))
    message = r"^evaluation\.searchers\.mine: lopq: subquantisers = 6 does not divide 8"
    with pytest.raises(ValueError, match=message):
        compared(given, params)
    with pytest.raises(ValueError, match=message):
        index_gallery(gallery, params)


def test_no_queries_still_give_a_table(gallery: Matrix) -> None:
    given, params = inputs(gallery, gallery, evaluation(everything=ALL, lopq=LOPQ))
    given = (*given[:2], given[2][:0], given[3])
    table = compared(given, params)
    assert table[["mAP@3", "R@1", "recall@3", "batch q/s 1 thread"]].isna().all(axis=None)


def test_the_index_is_of_the_first_lopq_searcher_and_signed(gallery: Matrix) -> None:
    params = evaluation(flat=ALL, first=LOPQ, second=LOPQ | {"coarse": 4})
    signed = index_gallery(gallery, params)
    assert signed.signature == {"encoder": {"weights": "one"}, "photos": digest(photos(60))}
    assert signed.index.params.coarse == 2  # type: ignore[attr-defined]
    found, _ = signed.index.search(gallery[:4], 1)
    np.testing.assert_array_equal(found[:, 0], range(4))


@pytest.mark.parametrize(
    ("own", "fits"), [(False, 1), (True, 2)], ids=["search_in gallery", "search_in queries"]
)
def test_each_searcher_is_fitted_once(
    gallery: Matrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool, fits: int
) -> None:
    """Only where queries search each other is the gallery indexed apart."""
    fitted, queries = [], matrix(tmp_path / "q.npy", 60)
    fit = LopqIndex.fit
    monkeypatch.setattr(LopqIndex, "fit", lambda *given: fitted.append(1) or fit(*given))
    labels = photos(60).set_index("Index")["Class"]
    searched = queries if own else gallery
    *_, signed = compare_searchers(
        queries, searched, labels, labels, gallery, evaluation(lopq=LOPQ)
    )
    assert len(fitted) == fits
    expected, found = (
        index.search(queries[:], 3)[0]
        for index in (index_gallery(gallery, evaluation(lopq=LOPQ)).index, signed.index)
    )
    np.testing.assert_array_equal(found, expected)


def test_an_index_needs_a_lopq_searcher(gallery: Matrix) -> None:
    with pytest.raises(ValueError, match=r"evaluation\.searchers has none of kind lopq"):
        index_gallery(gallery, evaluation(flat=ALL))
