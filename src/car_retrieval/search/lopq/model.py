"""LOPQ model: encoding and decoding of vectors."""

from dataclasses import dataclass
from functools import cached_property

import faiss
import numpy as np

from car_retrieval.search.index import checked_vectors
from car_retrieval.search.lopq.codebooks import assign_words
from car_retrieval.search.lopq.kernels import look_up
from car_retrieval.search.pca import PCA


@dataclass(frozen=True)
class LopqModel:
    """Fitted quantiser of S splits (2: inverted multi-index, 1: inverted index), V centroids each.

    A part x of a vector is assigned to its nearest coarse centroid c, and x - c - mean is rotated
    to the local axes of c and product-quantised.

    Attributes:
        coarse: float32 [S, V, d], d = D / S.
        means: float32 [S, V, d], mean residuals x - c.
        rotations: float32 [S, V, d, d], whose rows are local axes.
        codebooks: float32 [S, V or 1, subspaces, words, d / subspaces]; 1: shared by all
            centroids of a split.
        pca: projection applied first; None: no PCA.
    """

    coarse: np.ndarray
    means: np.ndarray
    rotations: np.ndarray
    codebooks: np.ndarray
    pca: PCA | None = None

    @property
    def splits(self) -> int:
        """S."""
        return self.coarse.shape[0]

    @property
    def cells(self) -> int:
        """Number of cells, V ** S."""
        return self.coarse.shape[1] ** self.splits

    @property
    def dimension(self) -> int:
        """Dimension of the input vectors."""
        return self.pca.components.shape[1] if self.pca else self.splits * self.coarse.shape[2]

    @property
    def code_bytes(self) -> int:
        """Bytes of a vector's code, without its cell."""
        _, _, subspaces, words, _ = self.codebooks.shape
        return self.splits * subspaces * (8 if words == 256 else 4) // 8

    @cached_property
    def words_by_axis(self) -> np.ndarray:
        """Codebooks with words last, float32 [S, V or 1, subspaces, d / subspaces, words]."""
        return np.ascontiguousarray(self.codebooks.swapaxes(3, 4))

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """Project vectors float32 [n, D] to the quantised space, as parts float32 [n, S, d].

        Raises:
            ValueError: the vectors have another dimension, or contain NaN or infinity.
        """
        vectors = checked_vectors(vectors, self.dimension)
        projected = self.pca(vectors) if self.pca else vectors
        parts = projected.reshape(len(vectors), self.splits, self.coarse.shape[2])
        return np.ascontiguousarray(parts, np.float32)

    def encode(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Quantise vectors float32 [n, D].

        Returns:
            Cells int64 [n], i * V + j for the centroids i and j of the two splits, and codes uint8
            [n, code_bytes].
        """
        parts = self.project(vectors)
        cells = np.zeros(len(parts), np.int64)
        words = []
        for s in range(self.splits):
            nearest, local = self.localise(s, parts[:, s])
            cells = cells * self.coarse.shape[1] + nearest
            words.append(self._words(s, nearest, local))
        return cells, _packed(np.concatenate(words, axis=1), self.codebooks.shape[3])

    def localise(self, split: int, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the nearest coarse centroids int64 [n] of parts [n, d], and local coordinates."""
        nearest = nearest_centroids(parts, self.coarse[split])
        local = np.empty_like(parts)
        for v, rows in members(nearest):
            local[rows] = self.in_local_axes(split, v, parts[rows])
        return nearest, local

    def words_of(self, cell: int, codes: np.ndarray) -> np.ndarray:
        """Decode the codes uint8 [n, code_bytes] of a cell, in its local axes.

        Rotations preserve lengths, so a query in the same axes has a distance that is the sum of
        its distances to the words (asymmetric distance, Jégou et al., PAMI 2011).

        Returns:
            float32 [n, S * d].
        """
        words = np.empty((len(codes), self.splits * self.coarse.shape[2]), np.float32)
        width = self.coarse.shape[2]
        for s, v in enumerate(self.centroids_of(cell)):
            book = self.codebooks[s, v % self.codebooks.shape[1]]
            look_up(codes, book, s * codes.shape[1] // self.splits, words[:, s * width :])
        return words

    def decode(self, cell: int, codes: np.ndarray) -> np.ndarray:
        """Decode the codes of a cell in the quantised space, float32 [n, S * d]."""
        words = np.split(self.words_of(cell, codes), self.splits, axis=1)
        parts = [
            local @ self.rotations[s, v] + self.coarse[s, v] + self.means[s, v]
            for local, (s, v) in zip(words, enumerate(self.centroids_of(cell)), strict=True)
        ]
        return np.concatenate(parts, axis=1)

    def in_local_axes(self, split: int, centroid: int, parts: np.ndarray) -> np.ndarray:
        """Convert parts float32 [n, d] to the local axes of a coarse centroid."""
        origin = self.coarse[split, centroid] + self.means[split, centroid]
        return (parts - origin) @ self.rotations[split, centroid].T

    def centroids_of(self, cell: int) -> tuple[int, ...]:
        """Return the coarse centroid of each split of a cell."""
        count = self.coarse.shape[1]
        return divmod(cell, count) if self.splits == 2 else (cell,)

    def _words(self, split: int, nearest: np.ndarray, local: np.ndarray) -> np.ndarray:
        books = self.codebooks[split]
        if len(books) == 1:
            return assign_words(local, books[0])
        words = np.empty((len(local), books.shape[1]), np.uint8)
        for v, rows in members(nearest):
            words[rows] = assign_words(local[rows], books[v])
        return words


def nearest_centroids(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Find the nearest of the centroids [V, d] to each point [n, d], int64 [n]."""
    return faiss.knn(np.ascontiguousarray(points), np.ascontiguousarray(centroids), 1)[1][:, 0]


def members(nearest: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Group rows by centroid, or cell, without empty groups."""
    short = nearest.astype(
        np.min_scalar_type(nearest.max(initial=0))
    )  # 16-bit integers use radix sort
    order = np.argsort(short, kind="stable")
    present, first = np.unique(nearest[order], return_index=True)
    return list(zip(present.tolist(), np.split(order, first)[1:], strict=True))


def _packed(words_of: np.ndarray, words: int) -> np.ndarray:
    return words_of if words == 256 else words_of[:, ::2] | (words_of[:, 1::2] << 4)
