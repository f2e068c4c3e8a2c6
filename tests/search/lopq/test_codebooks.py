import numpy as np
import pytest

from car_retrieval.search.lopq.codebooks import (
    ITERATIONS,
    SAMPLES_PER_WORD,
    assign_words,
    train_codebooks,
)


def nearest(points, books):
    """Brute force in float64: distances [n, subspaces, words]."""
    parts = points.reshape(len(points), len(books), 1, -1).astype(float)
    return ((parts - books.astype(float)) ** 2).sum(axis=3)


def error(points, books):
    return nearest(points, books).min(axis=2).sum(axis=1).mean()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("width", [1, 3, 8, 20])
@pytest.mark.parametrize("count", [1, 700])
def test_words_are_the_nearest(bits, width, count):
    rng = np.random.default_rng(bits)
    points = rng.normal(size=(count, 4 * width)).astype(np.float32)
    books = rng.normal(size=(4, 2**bits, width)).astype(np.float32)
    words, distances = assign_words(points, books), nearest(points, books)
    assert words.dtype == np.uint8
    chosen = np.take_along_axis(distances, words[..., None].astype(int), axis=2)[..., 0]
    np.testing.assert_allclose(chosen, distances.min(axis=2), rtol=1e-5, atol=1e-5)
    assert (words == distances.argmin(axis=2)).mean() > 0.999


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("count", [1, 7, 16])
def test_as_few_points_as_words_are_the_words(bits, count):
    rng = np.random.default_rng(1)
    points = rng.normal(size=(count, 6)).astype(np.float32)
    books = train_codebooks(points, 3, bits, rng)
    assert books.shape == (3, 2**bits, 2)
    for s in range(3):
        words = np.unique(books[s], axis=0)
        np.testing.assert_array_equal(words, np.unique(points[:, 2 * s : 2 * s + 2], axis=0))


def test_training_finds_separate_clusters():
    rng = np.random.default_rng(2)
    centres = 10 * rng.permutation(16)[:, None] * np.ones(2)
    points = np.repeat(centres, 60, axis=0) + rng.normal(scale=0.01, size=(960, 2))
    points = points.astype(np.float32)
    start = points[np.random.default_rng(0).permutation(960)[:16]][None]
    books = train_codebooks(points, 1, 4, np.random.default_rng(0))
    assert error(points, books) < error(points, start) / 2


def test_empty_words_are_used_again():
    # 97 points in 100 are the same: nearly all first words are equal, and all but one empty.
    rng = np.random.default_rng(3)
    points = rng.normal(size=(4_000, 4)).astype(np.float32) + 3
    points[rng.permutation(4_000)[:3_880]] = 3
    books = train_codebooks(points, 1, 8, np.random.default_rng(0))
    first = points[np.random.default_rng(0).permutation(4_000)[:256]]
    used = np.unique(assign_words(points, books))
    assert len(used) > 2 * len(np.unique(first, axis=0))
    assert error(points, books) < error(points, first[None]) / 1.5


def test_training_is_lloyds_algorithm():
    rng = np.random.default_rng(4)
    points = rng.normal(size=(2_000, 8)).astype(np.float32)
    chosen = points[np.random.default_rng(0).permutation(2_000)[: 16 * SAMPLES_PER_WORD]]
    start = chosen[:16].reshape(16, 2, 4).transpose(1, 0, 2)
    books = train_codebooks(points, 2, 4, np.random.default_rng(0))
    assert error(points, books) < 0.8 * error(points, start)
    wanted = start.astype(float)
    for _ in range(ITERATIONS):
        words = nearest(chosen, wanted).argmin(axis=2)
        for s in range(2):
            parts = chosen[:, 4 * s : 4 * s + 4].astype(float)
            wanted[s] = [parts[words[:, s] == w].mean(axis=0) for w in range(16)]
    np.testing.assert_allclose(books, wanted, atol=1e-4)


def test_same_seed_same_words():
    points = np.random.default_rng(0).normal(size=(900, 4)).astype(np.float32)
    first, again, other = (
        train_codebooks(points, 2, 4, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
