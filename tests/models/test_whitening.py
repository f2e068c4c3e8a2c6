import numpy as np
import pytest
import sklearn.decomposition
from scipy.linalg import subspace_angles
from sklearn.covariance import ledoit_wolf
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


def shrunk(vectors, classes):
    """C_S / 2, shrunk as scikit-learn shrinks the covariance within classes."""
    within = pairs_within(vectors, classes) / 2
    centred = [
        vectors[classes == one] - vectors[classes == one].mean(axis=0) for one in set(classes)
    ]
    _, shrinkage = ledoit_wolf(np.concatenate(centred).astype(float), assume_centered=True)
    scale = np.trace(within) / len(within)
    return (1 - shrinkage) * within + shrinkage * scale * np.eye(len(within))


@pytest.mark.parametrize("dimension", [None, 4])
@pytest.mark.parametrize("power", [1, 0.5])
def test_learnt_follows_the_paper(vectors, dimension, power):
    found = fit_whitening(vectors, CLASSES, "learnt", dimension, power)(vectors)
    variances, axes = np.linalg.eigh(shrunk(vectors, CLASSES))
    inner = axes @ np.diag(variances ** (-power / 2)) @ axes.T
    centred = (vectors - vectors.mean(axis=0).astype(float)) @ inner
    _, components = np.linalg.eigh(centred.T @ centred)
    wanted = centred @ components[:, ::-1][:, :dimension]
    np.testing.assert_allclose(aligned(found, wanted), wanted, atol=2e-3)


def test_learnt_makes_pairs_of_a_class_vary_alike_in_all_directions(vectors):
    components = fit_whitening(vectors, CLASSES, "learnt").components.astype(float)
    within = components @ shrunk(vectors, CLASSES) @ components.T
    np.testing.assert_allclose(within, np.eye(10), atol=1e-3)


def test_learnt_finds_the_directions_of_linear_discriminant_analysis():
    rng = np.random.default_rng(1)
    classes = np.repeat(np.arange(8), 4_000)  # of one size: both weight the classes alike
    mixing = rng.normal(size=(6, 6))
    centres = rng.normal(size=(8, 6)) * [9, 6, 4, 1, 1, 1]
    vectors = (centres[classes] + rng.normal(size=(32_000, 6))) @ mixing
    vectors = vectors.astype(np.float32)
    found = fit_whitening(vectors, classes, "learnt", 3)
    oracle = LinearDiscriminantAnalysis(solver="eigen", n_components=3).fit(vectors, classes)
    angles = subspace_angles(found.components.T, oracle.scalings_[:, :3])
    assert np.degrees(angles.max()) < 1


def test_a_class_of_one_photo_tells_nothing_of_what_varies_within(vectors):
    alone = np.concatenate([CLASSES, [99]])
    more = np.concatenate([vectors, 100 + vectors[:1]])
    components = fit_whitening(more, alone, "learnt").components.astype(float)
    within = components @ shrunk(more, alone) @ components.T
    np.testing.assert_allclose(within, np.eye(10), atol=1e-3)


def test_learnt_of_fewer_photos_than_dimensions(vectors):
    """Directions in which these photos do not vary are not blown up."""
    wide = np.concatenate([vectors[:15], np.zeros((15, 30), np.float32)], axis=1)
    found = fit_whitening(wide, CLASSES[:15], "learnt", 3)
    assert np.isfinite(found.components).all()
    assert np.linalg.norm(found.components, axis=1).max() < 100


@pytest.mark.parametrize("classes", [np.arange(15), np.repeat([0, 1], [1, 14])])
def test_learnt_needs_two_photos_of_a_class_that_differ(vectors, classes):
    alike = vectors[:15].copy()
    alike[classes == 1] = alike[1]
    with pytest.raises(ValueError, match=r"learnt: no class of the 15 photos .* pca"):
        fit_whitening(alike, classes, "learnt")


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
