"""Vectors that searchers are measured on."""

from pathlib import Path

import numpy as np

SHARED, OWN = 64, 16


class GaussianClasses:
    """Descriptors such as a network gives: unit vectors in classes that vary along few directions.

    Classes of log-normal size (sigma 0.5) lie around Gaussian centres of unit length whose
    spectrum falls as i^-0.35. A point is its centre, plus 64 directions of variation that all
    classes share and 16 of its class' own (spectrum i^-0.5, of length 0.45 each), plus noise of
    length 0.25, brought to unit length.

    Args:
        dimension: of the vectors.
        classes: how many.
        seed: of everything.
    """

    def __init__(self, dimension: int, classes: int = 1_700, seed: int = 7) -> None:
        self._rng = rng = np.random.default_rng(seed)
        spectrum = np.arange(1, dimension + 1) ** -0.35
        basis = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
        centres = rng.standard_normal((classes, dimension)) * spectrum @ basis.T
        self._centres = _unit(centres).astype(np.float32)
        self._shared = _directions(rng, SHARED, dimension)
        self._own = np.stack([_directions(rng, OWN, dimension) for _ in range(classes)])
        share = rng.lognormal(0, 0.5, classes)
        self._share = share / share.sum()

    def draw(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """So many points, float32 [count, dimension], and their classes."""
        rng, dimension = self._rng, self._centres.shape[1]
        labels = rng.choice(len(self._share), count, p=self._share)
        points = self._centres[labels]
        points += rng.standard_normal((count, SHARED), np.float32) @ self._shared
        along = rng.standard_normal((count, OWN), np.float32)
        for row, label in enumerate(labels):
            points[row] += along[row] @ self._own[label]
        points += rng.standard_normal(points.shape, np.float32) * np.float32(0.25 / dimension**0.5)
        return _unit(points), labels


def read_fvecs(path: str | Path) -> np.ndarray:
    """Vectors float32 [n, d] of an .fvecs file: each row is led by its dimension as an int32."""
    words = np.fromfile(path, np.int32)
    return words.reshape(-1, words[0] + 1)[:, 1:].view(np.float32).copy()


def _directions(rng: np.random.Generator, count: int, dimension: int) -> np.ndarray:
    spectrum = np.arange(1, count + 1) ** -0.5
    spectrum *= 0.45 / np.linalg.norm(spectrum)
    basis = np.linalg.qr(rng.standard_normal((dimension, count)))[0]
    return (basis * spectrum).T.astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
