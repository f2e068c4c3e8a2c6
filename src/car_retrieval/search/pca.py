"""Principal components of descriptors."""

from dataclasses import dataclass

import numpy as np

from car_retrieval.search.eigenvalue_allocation import allocate_eigenvalues


@dataclass(frozen=True)
class PCA:
    """A projection on principal components.

    Attributes:
        mean: float32 [D].
        components: float32 [p, D], one a row.
    """

    mean: np.ndarray
    components: np.ndarray

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Project float32 [n, D] to float32 [n, p]."""
        return vectors @ self.components.T - self.components @ self.mean


def fit_pca(vectors: np.ndarray, dimension: int, parts: int = 1, whiten: bool = False) -> PCA:
    """Fit a projection.

    Args:
        vectors: float32 [n, D] to learn from.
        dimension: components to keep.
        parts: the components are ordered so that this many parts of equal length carry variances
            of equal product (eigenvalue allocation, Ge et al., CVPR 2013).
        whiten: scale each component to unit variance.

    Raises:
        ValueError: more components are asked for than the vectors have dimensions or number.
    """
    if dimension > min(vectors.shape):
        raise ValueError(
            f"pca: {dimension} components of {len(vectors)} vectors of {vectors.shape[1]} "
            f"dimensions; at most {min(vectors.shape)} can be had"
        )
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = vectors - mean
    variances, axes = np.linalg.eigh(centred.T @ centred / np.float32(len(vectors)))
    variances, axes = variances[::-1][:dimension], axes[:, ::-1][:, :dimension]
    variances = np.maximum(variances, np.finfo(np.float32).eps * variances[0])
    order = allocate_eigenvalues(variances, parts)
    scales = np.sqrt(np.where(variances > 0, variances, 1))  # equal vectors vary nowhere
    components = axes.T / scales[:, None] if whiten else axes.T
    return PCA(mean, np.ascontiguousarray(components[order], np.float32))
