"""Principal component analysis of descriptors."""

from dataclasses import dataclass

import numpy as np

from car_retrieval.search.eigenvalue_allocation import allocate_eigenvalues


@dataclass(frozen=True)
class PCA:
    """Projection on principal components.

    Attributes:
        mean: float32 [D].
        components: float32 [p, D], one per row.
    """

    mean: np.ndarray
    components: np.ndarray

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Project float32 [n, D] to float32 [n, p]."""
        return vectors @ self.components.T - self.components @ self.mean


def fit_pca(vectors: np.ndarray, dimension: int, parts: int = 1, whiten: bool = False) -> PCA:
    """Fit a projection.

    Args:
        vectors: training vectors float32 [n, D].
        dimension: components to keep.
        parts: number of parts of equal length with balanced products of variances, by the order
            of the components (eigenvalue allocation, Ge et al., CVPR 2013).
        whiten: scale each component to unit variance.

    Raises:
        ValueError: `dimension` exceeds the vectors' number or dimension.
    """
    if dimension > min(vectors.shape):
        raise ValueError(
            f"pca: {dimension} components exceed the maximum of {min(vectors.shape)} for "
            f"{len(vectors)} vectors with {vectors.shape[1]} dimensions"
        )
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = vectors - mean
    variances, axes = np.linalg.eigh(centred.T @ centred / np.float32(len(vectors)))
    variances, axes = variances[::-1][:dimension], axes[:, ::-1][:, :dimension]
    variances = np.maximum(variances, np.finfo(np.float32).eps * variances[0])
    order = allocate_eigenvalues(variances, parts)
    scales = np.sqrt(np.where(variances > 0, variances, 1))  # variances of equal vectors are 0
    components = axes.T / scales[:, None] if whiten else axes.T
    return PCA(mean, np.ascontiguousarray(components[order], np.float32))
