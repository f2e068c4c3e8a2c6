"""Sets of vectors that searchers are measured on."""

from pathlib import Path

import numpy as np

CLASSES = 1_700
SHARED, OWN = 64, 16


def gaussian_classes(
    gallery: int, queries: int, dimension: int, seed: int = 7, block: int = 8_192
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Descriptors such as a network gives: unit vectors in classes that vary along few directions.

    1,700 classes of log-normal size (sigma 0.5) around Gaussian centres of unit length whose
    spectrum falls as i^-0.35. A point is its centre, plus 64 directions of variation that all
    classes share and 16 of its class' own (spectrum i^-0.5, of length 0.45 each), plus noise
    (0.25), brought to unit length.

    Returns:
        Gallery float32 [gallery, dimension], queries float32 [queries, dimension], and the class
        of each.
    """
    rng = np.random.default_rng(seed)
    spectrum = np.arange(1, dimension + 1) ** -0.35
    basis = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
    centres = _unit(rng.standard_normal((CLASSES, dimension)) * spectrum @ basis.T)
    shared = _directions(rng, SHARED, dimension)
    own = [_directions(rng, OWN, dimension) for _ in range(CLASSES)]
    share = rng.lognormal(0, 0.5, CLASSES)
    labels = rng.choice(CLASSES, gallery + queries, p=share / share.sum())
    points = np.empty((gallery + queries, dimension), np.float32)
    for start in range(0, len(points), block):
        part = points[start : start + block]
        classes = labels[start : start + block]
        part[:] = centres[classes] + rng.standard_normal((len(part), SHARED)) @ shared
        for row, label in enumerate(classes):
            part[row] += rng.standard_normal(OWN) @ own[label]
        part += rng.standard_normal(part.shape, np.float32) * (0.25 / np.sqrt(dimension))
        part[:] = _unit(part)
    return points[:gallery], points[gallery:], labels[:gallery], labels[gallery:]


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
