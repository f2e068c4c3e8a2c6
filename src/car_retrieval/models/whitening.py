"""Whitening of descriptors, learnt from training photos."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from car_retrieval.search.pca import PCA, fit_pca


@dataclass(frozen=True)
class Whitening:
    """Projection of descriptors, followed by L2 normalisation.

    Attributes:
        projection: projection from D to p dimensions; None: no whitening.
        signature: encoder signature and settings of the fit, as JSON values.
    """

    projection: PCA | None = None
    signature: dict[str, Any] = field(default_factory=dict)

    def __call__(self, descriptors: np.ndarray) -> np.ndarray:
        """Whiten descriptors float32 [n, D] to float32 [n, p] of unit length."""
        if self.projection is None:
            return descriptors
        whitened = self.projection(descriptors)
        return whitened / np.maximum(np.linalg.norm(whitened, axis=1, keepdims=True), 1e-12)

    def fingerprint(self) -> str | None:
        """Hash the projection: 16 hex digits; None for no whitening."""
        if self.projection is None:
            return None
        digest = hashlib.blake2b(digest_size=8)
        digest.update(self.projection.mean.tobytes() + self.projection.components.tobytes())
        return digest.hexdigest()


def fit_whitening(
    descriptors: np.ndarray,
    classes: np.ndarray,
    kind: Literal["pca", "learnt"],
    dimension: int | None = None,
    power: float = 1.0,
) -> PCA:
    """Fit a whitening projection to training photos.

    `pca` divides the principal components by their deviation (Jégou & Chum, "Negative evidences
    and co-occurences in image retrieval", ECCV 2012). `learnt` first divides by the deviation
    within classes and then turns to the principal components of the result: C_S^(-1/2) and eig(…)
    of Radenović et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2019,
    eq. 8, after Mikolajczyk & Matas, ICCV 2007. C_S is the mean over photos and, for each, over
    the others of its class, so that no pairs are drawn, shrunk towards a multiple of the identity
    as far as the number of photos asks for (Ledoit & Wolf, "A well-conditioned estimator for
    large-dimensional covariance matrices", 2004); the components are those of all photos, not of
    pairs of different classes, which nearly all pairs are.

    Args:
        descriptors: float32 [n, D].
        classes: int64 [n].
        kind: kind of whitening.
        dimension: components kept; None: all D.
        power: exponent of the deviation to divide by; 1: full whitening, 0: none.

    Raises:
        ValueError: there are fewer photos than dimensions are kept, or, for `learnt`, no class has
            two photos that differ.
    """
    dimension = dimension or descriptors.shape[1]
    if kind == "pca":
        pca = fit_pca(descriptors, dimension, whiten=True)
        lengths = np.linalg.norm(pca.components, axis=1, keepdims=True)
        return PCA(pca.mean, pca.components * lengths ** np.float32(power - 1))
    variances, axes = np.linalg.eigh(_within_classes(descriptors, classes))
    if variances[-1] <= 0:
        raise ValueError(
            f"learnt: no class of the {len(descriptors)} photos has two that differ; choose pca"
        )
    inner = (axes * variances ** (-power / 2) @ axes.T).astype(np.float32)
    pca = fit_pca(descriptors @ inner, dimension)
    mean = descriptors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return PCA(mean, pca.components @ inner)


def _within_classes(descriptors: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Mean of (x − y)(x − y)ᵀ / 2 over photos x, and for each over the others y of its class.

    Returns:
        float64 [D, D], shrunk by Ledoit & Wolf's estimate.
    """
    from sklearn.covariance import ledoit_wolf_shrinkage

    size = descriptors.shape[1]
    total = np.zeros((size, size))
    centred = descriptors.astype(np.float64)
    for class_ in np.unique(classes):
        members = centred[classes == class_]
        centred[classes == class_] -= members.mean(axis=0)
        if len(members) > 1:
            total += len(members) * np.cov(members.T).reshape(size, size)
    total /= len(descriptors)
    shrinkage = ledoit_wolf_shrinkage(centred, assume_centered=True)
    identity = np.eye(size) * np.trace(total) / size
    return (1 - shrinkage) * total + shrinkage * identity
