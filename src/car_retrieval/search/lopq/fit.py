"""Fitting of a LOPQ quantiser."""

from dataclasses import dataclass

import faiss
import numpy as np

from car_retrieval.search.eigenvalue_allocation import allocate_eigenvalues
from car_retrieval.search.index import check_positive, checked_vectors
from car_retrieval.search.lopq.codebooks import train_codebooks
from car_retrieval.search.lopq.model import LopqModel, members, nearest_centroids
from car_retrieval.search.pca import fit_pca

COARSE_ITERATIONS = 20


@dataclass(frozen=True)
class LopqParams:
    """Configuration of a quantiser.

    Attributes:
        splits: 2: inverted multi-index of two vocabularies, the paper's best; 1: inverted index.
        coarse: V, coarse centroids per split.
        subquantisers: M, code words per vector.
        bits: bits per code word, 8 or 4; a code has M * bits / 8 bytes.
        codebooks: local: one per coarse centroid; shared: one per split, as in the original code.
        pca: principal components kept; None: no PCA.
        whiten: scale the components to unit variance.
        quota: minimum number of points scanned by a search; None: all.
    """

    splits: int = 2
    coarse: int = 8
    subquantisers: int = 32
    bits: int = 8
    codebooks: str = "local"
    pca: int | None = None
    whiten: bool = False
    quota: int | None = None

    def check(self, count: int, dimension: int) -> None:
        """Raise ValueError if the parameters do not fit a number and dimension of vectors."""
        kept = dimension if self.pca is None else self.pca
        wanted = {"subquantisers": self.subquantisers, "coarse": self.coarse, "pca": kept}
        check_positive(**wanted, quota=1 if self.quota is None else self.quota)
        if self.codebooks not in ("local", "shared"):
            raise ValueError(f"lopq: codebooks = {self.codebooks!r} must be local or shared")
        if self.whiten and self.pca is None:
            raise ValueError("lopq: whiten needs pca: set both")
        if self.splits not in (1, 2) or self.bits not in (4, 8):
            raise ValueError(
                f"lopq: splits = {self.splits} must be 1 or 2, bits = {self.bits} 4 or 8"
            )
        if kept % self.subquantisers or self.subquantisers % self.splits:
            raise ValueError(
                f"lopq: subquantisers = {self.subquantisers} does not divide {kept} dimensions in "
                f"{self.splits} split(s); choose a divisor of {kept}, or another pca"
            )
        if self.bits == 4 and self.subquantisers // self.splits % 2:
            raise ValueError(
                f"lopq: subquantisers = {self.subquantisers} with bits = 4 must be a multiple of "
                f"{2 * self.splits}, so that each of {self.splits} split(s) has whole bytes"
            )
        if count < self.coarse:
            raise ValueError(
                f"lopq: coarse = {self.coarse} needs as many training vectors; choose at most "
                f"{count}"
            )


def fit_lopq(vectors: np.ndarray, params: LopqParams, seed: int) -> LopqModel:
    """Fit a quantiser.

    Args:
        vectors: training vectors float32 [n, D]; tens of thousands suffice.
        params: configuration of the quantiser.
        seed: random seed of the fit.

    Raises:
        ValueError: the parameters do not fit the vectors' number or dimension, or the vectors
            contain NaN or infinity.
    """
    vectors = checked_vectors(vectors)
    params.check(*vectors.shape)
    rng = np.random.default_rng(seed)
    pca = fit_pca(vectors, params.pca, params.splits, params.whiten) if params.pca else None
    parts = (pca(vectors) if pca else vectors).reshape(len(vectors), params.splits, -1)
    fitted = [
        _fit_split(np.ascontiguousarray(parts[:, s]), params, rng) for s in range(params.splits)
    ]
    coarse, means, rotations, codebooks = map(np.stack, zip(*fitted, strict=True))
    return LopqModel(coarse, means, rotations, codebooks, pca)


def _fit_split(
    points: np.ndarray, params: LopqParams, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fit coarse centroids, means, rotations and codebooks of one split."""
    subspaces = params.subquantisers // params.splits
    coarse = train_coarse(points, params.coarse, int(rng.integers(2**31)))
    nearest = nearest_centroids(points, coarse)
    groups = dict(members(nearest))
    means, rotations = local_frames(points, coarse, groups, subspaces)
    local = np.empty_like(points)
    for v, rows in groups.items():
        local[rows] = (points[rows] - coarse[v] - means[v]) @ rotations[v].T
    if params.codebooks == "shared":
        books = train_codebooks(local, subspaces, params.bits, rng)[None]
    else:
        books = _local_codebooks(local, groups, params.coarse, subspaces, params.bits, rng)
    return coarse, means, rotations, books


def train_coarse(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Train k-means centroids float32 [count, d] on points float32 [n, d], n ≥ count."""
    clustering = faiss.Kmeans(
        points.shape[1], count, niter=COARSE_ITERATIONS, seed=seed, min_points_per_centroid=1
    )
    clustering.train(points)
    return np.asarray(clustering.centroids)


def local_frames(
    points: np.ndarray, coarse: np.ndarray, groups: dict[int, np.ndarray], subspaces: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean residual and local axes of each coarse centroid.

    The covariance of a centroid's residuals is shrunk towards that of all residuals, which has the
    weight of `d` points: with few points the axes are global, with many local.

    Args:
        points: float32 [n, d].
        coarse: float32 [V, d].
        groups: rows of `points` by coarse centroid.
        subspaces: number of parts with balanced variance.

    Returns:
        Means float32 [V, d] and rotations float32 [V, d, d], whose rows are axes.
    """
    count, dimension = coarse.shape
    means = np.zeros_like(coarse)
    scatters = np.zeros((count, dimension, dimension), np.float32)
    for v, rows in groups.items():
        residuals = points[rows] - coarse[v]
        means[v] = residuals.mean(axis=0)
        residuals -= means[v]
        scatters[v] = residuals.T @ residuals
    pooled = scatters.sum(axis=0) / len(points)
    rotations = np.empty_like(scatters)
    for v in range(count):
        weight = dimension + len(groups.get(v, ()))
        variances, axes = np.linalg.eigh((scatters[v] + dimension * pooled) / weight)
        order = allocate_eigenvalues(np.maximum(variances, 0), subspaces)
        rotations[v] = axes[:, order].T
    return means, rotations


def _local_codebooks(
    local: np.ndarray,
    groups: dict[int, np.ndarray],
    count: int,
    subspaces: int,
    bits: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Train codebooks per centroid; with fewer points than words, on the points of all."""
    own = {v: rows for v, rows in groups.items() if len(rows) >= 2**bits}
    books = {v: train_codebooks(local[rows], subspaces, bits, rng) for v, rows in own.items()}
    if len(books) < count:
        shared = train_codebooks(local, subspaces, bits, rng)
        books = dict.fromkeys(range(count), shared) | books
    return np.stack([books[v] for v in range(count)])
