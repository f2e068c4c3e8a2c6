"""Training and use of product-quantiser codebooks."""

import faiss
import numpy as np

ITERATIONS = 10
SAMPLES_PER_WORD = 24


def train_codebooks(
    points: np.ndarray, subspaces: int, bits: int, rng: np.random.Generator
) -> np.ndarray:
    """Train a codebook per subspace by Lloyd's k-means.

    Args:
        points: float32 [n, d], at least one.
        subspaces: number of parts of equal length.
        bits: bits per code word, 4 or 8.
        rng: random generator of samples and initial centroids.

    Returns:
        float32 [subspaces, 2 ** bits, d / subspaces]. With no more points than words, the points
        are the words.
    """
    words = 2**bits
    chosen = rng.permutation(len(points))[: SAMPLES_PER_WORD * words]
    parts = points[chosen].reshape(len(chosen), subspaces, -1)
    books = np.ascontiguousarray(parts[np.arange(words) % len(chosen)].transpose(1, 0, 2))
    if len(chosen) <= words:
        return books
    for _ in range(ITERATIONS):
        words_of = assign_words(parts.reshape(len(chosen), -1), books)
        for s in range(subspaces):
            _move_centroids(books[s], parts[:, s], words_of[:, s])
    return books


def assign_words(points: np.ndarray, books: np.ndarray) -> np.ndarray:
    """Find the nearest word in every subspace: uint8 [n, subspaces] of points float32 [n, d]."""
    subspaces, words, _ = books.shape
    quantiser = faiss.ProductQuantizer(points.shape[1], subspaces, 8)
    if words < 256:  # pad with far words, because faiss would pack codes of fewer bits
        far = np.full((subspaces, 256 - words, books.shape[2]), 1e15, np.float32)
        books = np.concatenate([books, far], axis=1)
    faiss.copy_array_to_vector(np.ascontiguousarray(books).ravel(), quantiser.centroids)
    return quantiser.compute_codes(np.ascontiguousarray(points))


def _move_centroids(book: np.ndarray, points: np.ndarray, words_of: np.ndarray) -> None:
    """Move each word to the mean of its points in place; an empty word splits the most used."""
    words = len(book)
    counts = np.bincount(words_of, minlength=words)
    for i in range(points.shape[1]):
        sums = np.bincount(words_of, points[:, i], words)
        book[:, i] = np.where(counts > 0, sums / np.maximum(counts, 1), book[:, i])
    for empty in np.flatnonzero(counts == 0):
        full = counts.argmax()
        book[empty] = book[full] * (1 + 1e-4)
        book[full] *= 1 - 1e-4
        counts[empty] = counts[full] // 2
        counts[full] -= counts[empty]
