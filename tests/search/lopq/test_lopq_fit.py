import numpy as np
import pytest

from car_retrieval.search.lopq.fit import LopqParams, fit_lopq, local_frames

ARRAYS = ("coarse", "means", "rotations", "codebooks")


def vectors_of(count, dimension=16, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def error(model, vectors):
    """Mean squared distance, in the space that is quantised, to what the codes stand for."""
    cells, codes = model.encode(vectors)
    parts = model.project(vectors).reshape(len(vectors), -1)
    decoded = [
        model.decode(cell, codes[row : row + 1])[0] for row, cell in enumerate(cells.tolist())
    ]
    return ((parts - decoded) ** 2).sum(axis=1).mean()


def clusters(count, width, spread=1.0, seed=0):
    """Far clusters with principal axes of their own, each `spread` as wide as that before."""
    rng = np.random.default_rng(seed)
    parts = []
    for i in range(count):
        axes, _ = np.linalg.qr(rng.normal(size=(width, width)))
        points = rng.normal(size=(800, width)) * 2.0 ** -np.arange(width)
        parts.append(spread**i * points @ axes.T + 30 * rng.normal(size=width))
    return np.concatenate(parts).astype(np.float32)


@pytest.mark.parametrize("pca", [None, 8])
@pytest.mark.parametrize("codebooks", ["local", "shared"])
def test_the_seed_decides(pca, codebooks):
    params = LopqParams(coarse=4, subquantisers=4, bits=4, pca=pca, codebooks=codebooks)
    first, again, other = (fit_lopq(vectors_of(900), params, seed) for seed in (1, 1, 2))
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.coarse, other.coarse)
    assert not np.array_equal(first.codebooks, other.codebooks)


@pytest.mark.parametrize("count", [5, 40, 500])  # fewer than dimensions, than words, and enough
@pytest.mark.parametrize("splits", [1, 2])
def test_rotations_are_orthonormal(count, splits):
    params = LopqParams(splits=splits, coarse=5, subquantisers=4, bits=4)
    rotations = fit_lopq(vectors_of(count), params, 0).rotations
    products = rotations @ rotations.swapaxes(2, 3)
    wanted = np.broadcast_to(np.eye(rotations.shape[3]), products.shape)
    np.testing.assert_allclose(products, wanted, atol=1e-5)


def test_frames_are_means_and_axes_of_the_residuals():
    rng = np.random.default_rng(0)
    axes, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    points = (rng.normal(size=(4_000, 6)) * [8, 7, 3, 2, 0.5, 0.1]) @ axes.T + 5
    coarse = np.zeros((2, 6), np.float32)
    groups = {0: np.arange(4_000)}  # nothing lies in the other
    means, rotations = local_frames(points.astype(np.float32), coarse, groups, 1)
    np.testing.assert_allclose(means[0], points.mean(axis=0), rtol=1e-4)
    assert (means[1] == 0).all()
    for rotation in rotations:  # with no points of its own, the axes are those of the whole
        cosines = np.abs(rotation @ axes)
        assert (cosines.max(axis=0) > 0.95).all()


@pytest.mark.parametrize("splits", [1, 2])
def test_the_error_falls_with_longer_codes(splits):
    vectors = vectors_of(2_000)
    errors = [
        error(fit_lopq(vectors, LopqParams(splits, 4, subquantisers, bits), 0), vectors)
        for subquantisers, bits in ((4, 4), (8, 4), (8, 8), (16, 8))
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-2 < errors[0]


@pytest.mark.parametrize("splits", [1, 2])
def test_local_codebooks_are_no_worse_where_points_are_many(splits):
    vectors = clusters(4, 16, spread=0.3)
    local, shared = (
        sum(
            error(fit_lopq(vectors, LopqParams(splits, 4, 4, 4, codebooks), seed), vectors)
            for seed in range(3)
        )
        for codebooks in ("local", "shared")
    )
    assert local <= shared


def test_local_rotations_beat_a_global_one():
    vectors = clusters(4, 16)
    centres = vectors.reshape(4, 800, 16).mean(axis=1)
    residuals = (vectors.reshape(4, 800, 16) - centres[:, None]).reshape(-1, 16)
    one_rotation = fit_lopq(residuals, LopqParams(1, 1, 4, 4), 0)
    local = fit_lopq(vectors, LopqParams(1, 4, 4, 4, "shared"), 0)
    assert error(local, vectors) < 0.7 * error(one_rotation, residuals)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"coarse": 101}, "coarse = 101 .* at most 100"),
        ({"coarse": 0}, "coarse = 0"),
        ({"subquantisers": 0}, "subquantisers = 0"),
        ({"subquantisers": 5}, "subquantisers = 5 does not divide 16 dimensions"),
        ({"splits": 2, "subquantisers": 1}, "in 2 split"),
        ({"splits": 3}, "splits = 3 must be 1 or 2"),
        ({"bits": 6}, "bits = 6 4 or 8"),
        ({"splits": 2, "subquantisers": 2, "bits": 4}, "a multiple of 4"),
        ({"codebooks": "global"}, "codebooks = 'global'"),
        ({"pca": 20, "subquantisers": 4}, "pca: 20 components"),
        ({"pca": 0}, "pca = 0"),
        ({"pca": 6}, "does not divide 6 dimensions"),
        ({"quota": 0}, "quota = 0"),
        ({"whiten": True}, "whiten needs pca"),
    ],
)
def test_parameters_that_do_not_fit(changes, words):
    params = LopqParams(**{"coarse": 4, "subquantisers": 4} | changes)
    with pytest.raises(ValueError, match=words) as caught:
        fit_lopq(vectors_of(100), params, 0)
    assert "\n" not in str(caught.value)


def test_too_few_vectors_for_the_components():
    with pytest.raises(ValueError, match=r"12 components .* 5 vectors"):
        fit_lopq(vectors_of(5), LopqParams(coarse=1, subquantisers=4, pca=12), 0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(value):
    vectors = vectors_of(50)
    vectors[3, 1] = value
    with pytest.raises(ValueError, match="finite"):
        fit_lopq(vectors, LopqParams(coarse=2, subquantisers=4), 0)


def test_fewer_points_than_words_are_kept_whole():
    vectors = vectors_of(60)
    model = fit_lopq(vectors, LopqParams(1, 3, 4, 8), 0)
    assert error(model, vectors) < 1e-8
