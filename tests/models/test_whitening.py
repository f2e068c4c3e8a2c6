import numpy as np
import pytest
import sklearn.decomposition
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from car_retrieval.models.whitening import Whitening, fit_whitening

CLASSES = np.repeat(np.arange(12), np.arange(5, 17))


@pytest.fixture
def vectors():
    """Classes that lie apart along some directions and vary along others."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(12, 10)) * np.linspace(0.1, 1, 10)
    points = centres[CLASSES] + rng.normal(size=(len(CLASSES), 10)) * np.linspace(1, 0.2, 10)
    return points.astype(np.float32)


def aligned(found, wanted):
    """Each component is known but for its sign."""
    return found * np.sign((found * wanted).sum(axis=0))


def test_pca_equals_that_of_scikit_learn(vectors):
    found = fit_whitening(vectors, CLASSES, "pca", 6)(vectors)
    oracle = sklearn.decomposition.PCA(6, whiten=True, svd_solver="full")
    wanted = oracle.fit_transform(vectors.astype(float))
    wanted *= np.sqrt(len(vectors) / (len(vectors) - 1))  # it divides by n - 1
    np.testing.assert_allclose(aligned(found, wanted), wanted, atol=1e-3)


@pytest.mark.parametrize("power", [0, 0.5, 1])
def test_the_power_of_the_deviation_that_is_divided_by(vectors, power):
    plain = fit_whitening(vectors, CLASSES, "pca", power=0)(vectors)
    found = fit_whitening(vectors, CLASSES, "pca", power=power)(vectors)
    np.testing.assert_allclose(found.std(axis=0), plain.std(axis=0) ** (1 - power), rtol=1e-3)


def pairs_within(vectors, classes):
    """C_S as it is defined: over every photo, and every other of its class."""
    total = np.zeros((vectors.shape[1],) * 2)
    for x, class_ in enumerate(classes):
        others = [y for y in np.flatnonzero(classes == class_) if y != x]
        for y in others:
            difference = vectors[x].astype(float) - vectors[y]
            total += np.outer(difference, difference) / len(others) / len(classes)
    return total


@pytest.mark.parametrize("dimension", [None, 4])
@pytest.mark.parametrize("power", [1, 0.5])
def test_learnt_follows_the_paper(vectors, dimension, power):
    found = fit_whitening(vectors, CLASSES, "learnt", dimension, power)(vectors)
    variances, axes = np.linalg.eigh(pairs_within(vectors, CLASSES) / 2)
    inner = axes @ np.diag(variances ** (-power / 2)) @ axes.T
    centred = (vectors - vectors.mean(axis=0).astype(float)) @ inner
    _, components = np.linalg.eigh(centred.T @ centred)
    wanted = centred @ components[:, ::-1][:, :dimension]
    np.testing.assert_allclose(aligned(found, wanted), wanted, atol=2e-3)


def test_learnt_makes_pairs_of_a_class_vary_alike_in_all_directions(vectors):
    whitened = fit_whitening(vectors, CLASSES, "learnt")(vectors)
    np.testing.assert_allclose(pairs_within(whitened, CLASSES) / 2, np.eye(10), atol=1e-3)


def test_learnt_finds_the_directions_of_linear_discriminant_analysis():
    rng = np.random.default_rng(1)
    classes = np.repeat(np.arange(8), 40)  # of one size: both weight the classes alike
    mixing = rng.normal(size=(6, 6))
    vectors = (rng.normal(size=(8, 6))[classes] + rng.normal(size=(320, 6))) @ mixing
    vectors = vectors.astype(np.float32)
    found = fit_whitening(vectors, classes, "learnt", 3)(vectors)
    oracle = LinearDiscriminantAnalysis(solver="eigen", n_components=3)
    wanted = oracle.fit(vectors, classes).transform(vectors)
    match = np.abs(np.corrcoef(found.T, wanted.T)[:3, 3:])
    np.testing.assert_allclose(match, np.eye(3), atol=0.01)


def test_a_class_of_one_photo_tells_nothing_of_what_varies_within(vectors):
    alone = np.concatenate([CLASSES, [99]])
    more = np.concatenate([vectors, 100 + vectors[:1]])
    whitened = fit_whitening(more, alone, "learnt")(vectors)
    within = pairs_within(whitened, CLASSES) / 2
    np.testing.assert_allclose(within, np.eye(10) * len(more) / len(vectors), atol=2e-3)


@pytest.mark.parametrize("classes", [CLASSES[:15], np.arange(15)])
def test_learnt_of_too_few_photos(vectors, classes):
    wide = np.concatenate([vectors[:15]] * 2, axis=1)
    with pytest.raises(ValueError, match=r"learnt: 15 photos .* do not vary in all 20 dimensions"):
        fit_whitening(wide, classes, "learnt")


@pytest.mark.parametrize("kind", ["pca", "learnt"])
def test_more_dimensions_than_there_are(vectors, kind):
    with pytest.raises(ValueError, match="11 components"):
        fit_whitening(vectors, CLASSES, kind, 11)


def test_whitened_descriptors_have_unit_length(vectors):
    whitening = Whitening(fit_whitening(vectors, CLASSES, "learnt", 4))
    found = whitening(vectors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(whitening(vectors[3:5]), found[3:5], atol=1e-6)
    mean = whitening.projection.mean[None]
    assert np.isfinite(whitening(mean)).all()


def test_no_whitening_leaves_descriptors_as_they_are(vectors):
    assert Whitening()(vectors) is vectors
    assert Whitening().fingerprint() is None


def test_fingerprints_tell_whitenings_apart(vectors):
    fitted = [
        Whitening(fit_whitening(vectors, CLASSES, *settings))
        for settings in (("pca", 4), ("pca", 5), ("learnt", 4), ("learnt", 4, 0.5))
    ]
    assert len({each.fingerprint() for each in fitted}) == 4
    again = Whitening(fit_whitening(vectors, CLASSES, "pca", 4))
    assert again.fingerprint() == fitted[0].fingerprint()
