import numpy as np
import pytest
from sklearn.decomposition import PCA

from car_retrieval.search.pca import fit_pca


def vectors_of(count, dimension):
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(dimension, dimension)) * 1.3 ** -np.arange(dimension)
    return (rng.normal(size=(count, dimension)) @ mixing.T + 2).astype(np.float32)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("parts", [1, 2, 4])
def test_equals_that_of_scikit_learn(whiten, parts):
    vectors = vectors_of(500, 16)
    mine = fit_pca(vectors, 8, parts, whiten)(vectors)
    theirs = PCA(8, whiten=whiten, svd_solver="full").fit_transform(vectors.astype(float))
    if whiten:  # it divides by n - 1
        theirs *= np.sqrt(500 / 499)
    match = np.abs(np.corrcoef(mine.T, theirs.T)[:8, 8:])
    order = match.argmax(axis=1)
    assert sorted(order.tolist()) == list(range(8))
    theirs = theirs[:, order]
    theirs *= np.sign((mine * theirs).sum(axis=0))
    np.testing.assert_allclose(mine, theirs, atol=2e-3 * np.abs(theirs).max())


def test_parts_carry_variances_of_equal_product():
    vectors = vectors_of(500, 16)
    projected = fit_pca(vectors, 8, 2)(vectors)
    products = projected.var(axis=0).reshape(2, 4).prod(axis=1)
    in_turn = fit_pca(vectors, 8)(vectors).var(axis=0)
    in_turn = np.sort(in_turn)[::-1].reshape(2, 4).prod(axis=1)
    assert products.max() / products.min() < in_turn.max() / in_turn.min() / 10


@pytest.mark.parametrize("shape", [(5, 16), (50, 4)])
def test_too_many_components(shape):
    with pytest.raises(ValueError, match=r"6 components .* maximum"):
        fit_pca(np.ones(shape, np.float32), 6)


@pytest.mark.parametrize("whiten", [False, True])
def test_equal_vectors(whiten):
    vectors = np.zeros((20, 6), np.float32)
    assert (fit_pca(vectors, 4, 2, whiten)(vectors) == 0).all()
    vectors += np.float32(0.1)
    assert np.isfinite(fit_pca(vectors, 4, 2, whiten)(vectors)).all()
