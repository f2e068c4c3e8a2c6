"""Descriptors whose uninformative directions count less: whitening learnt from training photos."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from car_retrieval.search.pca import PCA, fit_pca


@dataclass(frozen=True)
class Whitening:
    """Projection of descriptors, followed by L2 normalisation.

    Attributes:
        projection: of D on p dimensions; None leaves descriptors as they are.
        signature: of the encoder and the settings that it was fitted with, as JSON values.
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
        """A hash of the projection: 16 hex digits; None where there is none."""
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
    """Fit a projection to training photos.

    `pca` divides the principal components by their deviation (Jégou & Chum, "Negative evidences
    and co-occurences in image retrieval", ECCV 2012). `learnt` first divides by the deviation
    within classes and then turns to the principal components of the result: C_S^(-1/2) and eig(…)
    of Radenović et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2019,
    eq. 8, after Mikolajczyk & Matas, ICCV 2007. C_S is the mean over photos and, for each, over
    the others of its class, so that no pairs are drawn; the components are those of all photos,
    not of pairs of different classes, which nearly all pairs are.

    Args:
        descriptors: float32 [n, D].
        classes: int64 [n].
        kind: of whitening.
        dimension: components kept; None: all D.
        power: of the deviation that is divided by: 1 whitens wholly, 0 not at all.

    Raises:
        ValueError: there are too few photos for so many dimensions.
    """
    dimension = dimension or descriptors.shape[1]
    if kind == "pca":
        pca = fit_pca(descriptors, dimension, whiten=True)
        lengths = np.linalg.norm(pca.components, axis=1, keepdims=True)
        return PCA(pca.mean, pca.components * lengths ** np.float32(power - 1))
    variances, axes = np.linalg.eigh(_within_classes(descriptors, classes))
    if variances[0] <= np.finfo(np.float32).eps * variances[-1]:
        raise ValueError(
            f"learnt: {len(descriptors)} photos of {len(np.unique(classes))} classes do not vary "
            f"in all {descriptors.shape[1]} dimensions; take pca, more photos or fewer dimensions"
        )
    inner = (axes * variances ** (-power / 2) @ axes.T).astype(np.float32)
    pca = fit_pca(descriptors @ inner, dimension)
    mean = descriptors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return PCA(mean, pca.components @ inner)


def _within_classes(descriptors: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Mean of (x − y)(x − y)ᵀ / 2 over photos x, and for each over the others y of its class."""
    total = np.zeros((descriptors.shape[1],) * 2)
    for class_ in np.unique(classes):
        members = descriptors[classes == class_]
        if len(members) > 1:
            total += len(members) * np.cov(members.T)
    return total / len(descriptors)
