"""Re-ranking by k-reciprocal neighbours, with neighbour lists instead of N × N distances.

Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017. A photo
is represented by its set of mutual nearest neighbours in the gallery, and photos are compared by
these sets. Sets are rows of sparse matrices with one column per gallery photo.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array, vstack
from tqdm import tqdm

from car_retrieval.search.gallery import Gallery
from car_retrieval.search.products import inner_products, top_k
from car_retrieval.search.result import RetrievalResult

PHOTOS = 256  # photos per batch of sets, which reads the descriptors of all their members
PAIRS = 8_192  # query-candidate pairs per batch of comparisons


@dataclass(frozen=True)
class KReciprocal:
    """Search with k-reciprocal re-ranking of the first hits.

    The distance of photos is d = 1 − inner product. Queries are independent: sets of gallery photos
    contain no queries that are not in the gallery.

    Attributes:
        gallery: gallery to search.
        k1: nearest neighbours that may be reciprocal.
        k2: photos averaged per set: the photo itself and its nearest neighbours.
        weight: λ in the final distance d* = (1 − λ) · Jaccard distance + λ · d, above 0.
        candidates: hits of a query to re-rank. Later hits have Jaccard distance 1, so they follow
            in their original order.
    """

    gallery: Gallery
    k1: int
    k2: int
    weight: float
    candidates: int

    def search(
        self, query_ids: np.ndarray, queries: np.ndarray, k: int, exclude: np.ndarray | None = None
    ) -> RetrievalResult:
        """Rank the gallery for each query by descending 1 − d*; see `search_exact`."""
        if not len(self.gallery.rows):
            return self.gallery.search(query_ids, queries, k, exclude)
        depth = max(k, self.candidates, self.k1, self.k2 - 1)
        found = self.gallery.search(query_ids, queries, depth, exclude)
        places = self._places(found.hits)
        common = np.zeros(places.shape, np.float32)
        for start in range(0, len(queries), PHOTOS):
            part = slice(start, start + PHOTOS)
            sets = self._query_sets(queries[part], places[part], found.scores[part])
            first = part, slice(0, self.candidates)
            common[first] = self._common(sets, places[first])
        # 1 − d*, from the score 1 − d and the overlap 1 − Jaccard distance.
        scores = np.float32(1 - self.weight) * common + np.float32(self.weight) * found.scores
        return RetrievalResult(found.query_ids, *top_k(found.hits, scores, k))

    @cached_property
    def _near(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns and similarities of the nearest other photos of each gallery photo."""
        near = self.gallery.neighbours(max(self.k1, self.k2 - 1))
        return self._places(near.hits), near.scores

    @cached_property
    def _half(self) -> csr_array:
        return self._reciprocal(round(self.k1 / 2))

    @cached_property
    def _own_sets(self) -> csr_array:
        """Weighted set V of each gallery photo (eq. 7)."""
        reciprocal, parts = self._reciprocal(self.k1), []
        with tqdm(total=reciprocal.shape[0], desc="sets", unit="photo", disable=None) as bar:
            for rows, vectors in self.gallery.parts(PHOTOS):
                members = self._extended(reciprocal[self._places(rows)])
                parts.append(self._weighted(vectors, members))
                bar.update(len(rows))
        return vstack(parts, format="csr")

    @cached_property
    def _sets(self) -> csr_array:
        """Weighted sets averaged over the photo and its nearest neighbours (eq. 11)."""
        return self._averaged(self._own_sets, self._near[0])

    def _query_sets(self, queries: np.ndarray, places: np.ndarray, scores: np.ndarray) -> csr_array:
        """Compute the averaged set of each query from its ranking."""
        nearest = places[:, : self.k1]
        # The query is among a gallery photo's k1 nearest if it is as near as the last of them.
        mutual = scores[:, : self.k1] >= self._near[1][nearest, self.k1 - 1]
        reciprocal = self._members(np.where(mutual, nearest, -1))
        return self._averaged(self._weighted(queries, self._extended(reciprocal)), places)

    def _reciprocal(self, k: int) -> csr_array:
        """Compute R of each gallery photo: itself and its mutual k nearest neighbours."""
        near, _ = self._near
        lists = self._members(np.column_stack([np.arange(len(near)), near[:, :k]]))
        return lists.multiply(lists.T).tocsr()

    def _extended(self, reciprocal: csr_array) -> csr_array:
        """Extend R to R* by the k / 2 sets of members that share two thirds of them (eq. 5)."""
        shared = (reciprocal @ self._half).multiply(reciprocal).tocsr()
        sizes = self._half.sum(axis=1)
        shared.data = (3 * shared.data >= 2 * sizes[shared.indices]).astype(np.float32)
        shared.eliminate_zeros()
        return (reciprocal + shared @ self._half).tocsr()

    def _weighted(self, vectors: np.ndarray, members: csr_array) -> csr_array:
        """Weight the members of sets by exp(−d)."""
        columns, indices = np.unique(members.indices, return_inverse=True)
        sizes = np.diff(members.indptr)
        filled = np.arange(sizes.max(initial=0)) < sizes[:, None]
        rows = np.full(filled.shape, -1)
        rows[filled] = indices
        products = inner_products(vectors, self.gallery.read(self.gallery.rows[columns]), rows)
        data = np.exp(products[filled] - 1)
        return csr_array((data, members.indices, members.indptr), members.shape)

    def _averaged(self, own: csr_array, places: np.ndarray) -> csr_array:
        """Average each photo's own set with those of its nearest gallery photos."""
        near = self._members(places[:, : self.k2 - 1])
        total = (own + near @ self._own_sets).tocsr()
        total.sort_indices()  # so that sums do not depend on the batches
        total.data /= np.repeat(1 + near.sum(axis=1), np.diff(total.indptr))
        return total

    def _common(self, sets: csr_array, places: np.ndarray) -> np.ndarray:
        """Compute 1 − Jaccard distance (eq. 10) of queries and candidates, float32 [q, c]."""
        filled = places >= 0
        (queries, _), columns = np.nonzero(filled), places[filled]
        shared = np.zeros(len(queries), np.float32)
        for start in range(0, len(queries), PAIRS):
            part = slice(start, start + PAIRS)
            left, right = sets[queries[part]], self._sets[columns[part]]
            smaller = left.minimum(right).sum(axis=1)
            larger = left.sum(axis=1) + right.sum(axis=1) - smaller
            np.divide(smaller, larger, where=larger > 0, out=shared[part])
        common = np.zeros(places.shape, np.float32)
        common[filled] = shared
        return common

    def _members(self, places: np.ndarray) -> csr_array:
        """Convert columns per row, -1 for none, to sets: rows of ones."""
        rows, _ = np.nonzero(places >= 0)
        ones = np.ones(len(rows), np.float32)
        return csr_array((ones, (rows, places[places >= 0])), (len(places), len(self.gallery.rows)))

    def _places(self, hits: np.ndarray) -> np.ndarray:
        """Convert gallery rows to columns; -1 stays."""
        return np.where(hits < 0, -1, np.searchsorted(self.gallery.rows, hits))
