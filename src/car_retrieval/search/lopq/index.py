"""LOPQ index."""

from dataclasses import asdict
from typing import Any

import numpy as np

from car_retrieval.search.index import Index, check_positive
from car_retrieval.search.lopq.fit import LopqParams, fit_lopq
from car_retrieval.search.lopq.kernels import keep_nearest, scan_codes
from car_retrieval.search.lopq.model import LopqModel, members
from car_retrieval.search.lopq.multi_sequence import nearest_cells
from car_retrieval.search.parallel import in_parallel
from car_retrieval.search.pca import PCA

QUERY_BLOCK = {
    1: 4_096,
    2: 1_024,
}  # by splits; with two, a block is rotated to the axes of all centroids
POINT_BLOCK = 4_096
FIRST_ROUND = 3  # nearest cells scanned first, so that few points of the others enter the top k
SHARED_DECODING = 16  # queries of a block per scanned point above which decoding is faster


class LopqIndex(Index):
    """Codes of vectors by cell of an inverted (multi-)index.

    A search scans cells by ascending coarse distance until they hold `quota` points, and ranks
    these by the distance to their reconstructions. For few queries, distances are sums of table
    entries (asymmetric distances); in batches whose queries share many points, each point is
    decoded once and compared by a matrix product: the same distances, several times faster.

    Args:
        params: configuration of fit and search.
        model: fitted quantiser, for example an imported one; None: created by `fit`.
    """

    kind = "lopq"

    def __init__(self, params: LopqParams, model: LopqModel | None = None) -> None:
        super().__init__()
        self.params = params
        self._model = model
        self._added: list[tuple[np.ndarray, np.ndarray]] = []
        self._arranged: _Codes | None = None

    @property
    def model(self) -> LopqModel:
        """Fitted quantiser."""
        if self._model is None:
            raise ValueError("index is not fitted: call fit first")
        return self._model

    def fit(self, vectors: np.ndarray, seed: int) -> None:
        """Fit the quantiser; see `Index.fit`."""
        self._model = fit_lopq(vectors, self.params, seed)
        self._ids, self._added, self._arranged = np.empty(0, np.int64), [], None

    def remove(self, ids: np.ndarray) -> None:
        """Remove vectors by id, int64 [m]; ids that are not in the index are ignored."""
        codes = self._codes
        kept = ~np.isin(codes.ids, ids)
        starts = np.concatenate([[0], np.cumsum(kept)])[codes.starts]
        self._arranged = _Codes(codes.codes[kept], codes.ids[kept], starts)
        self._ids = self._arranged.ids

    def search(
        self, queries: np.ndarray, k: int, quota: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the k nearest codes of each query; see `Index.search`.

        Scores are negative squared distances in the quantised space.

        Args:
            queries: float32 [q, D].
            k: number of neighbours, at least 1.
            quota: minimum number of points scanned, at least k; None: quota of the parameters.
        """
        quota = quota if quota is not None else self.params.quota or max(1, len(self))
        check_positive(k=k, quota=quota)
        parts = self.model.project(queries)
        ids = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        if len(self):
            codes = self._codes

            def work(share: slice) -> None:
                size = QUERY_BLOCK[self.model.splits]
                for first in range(share.start, min(share.stop, len(parts)), size):
                    block = slice(first, min(first + size, share.stop))
                    places, distances = self._nearest(codes, parts[block], k, max(k, quota))
                    order = np.lexsort((places, distances), axis=1)
                    places = np.take_along_axis(places, order, 1)
                    ids[block] = np.where(places < 0, -1, codes.ids[places])
                    scores[block] = -np.take_along_axis(distances, order, 1)

            in_parallel(work, len(parts))
        return ids, scores

    @property
    def bytes_per_vector(self) -> float:
        """Size of code, id and the quantiser's share."""
        arrays, _ = self.state()
        return sum(array.nbytes for array in arrays.values()) / max(1, len(self))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """See `Index.state`."""
        model, codes = self.model, self._codes
        arrays = {name: getattr(model, name) for name in LEARNT}
        if model.pca:
            arrays |= {"pca_mean": model.pca.mean, "pca_components": model.pca.components}
        arrays |= {"codes": codes.codes, "ids": codes.ids, "starts": codes.starts}
        return arrays, {"params": asdict(self.params)}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> "LopqIndex":
        """See `Index.from_state`."""
        pca = None
        if "pca_mean" in arrays:
            pca = PCA(arrays["pca_mean"], arrays["pca_components"])
        coarse, means, rotations, codebooks = (arrays[name] for name in LEARNT)
        model = LopqModel(coarse, means, rotations, codebooks, pca)
        index = cls(LopqParams(**about["params"]), model)
        index._arranged = _Codes(arrays["codes"], arrays["ids"], arrays["starts"])
        index._ids = arrays["ids"]
        return index

    def _add(self, vectors: np.ndarray) -> None:
        self._added.append(self.model.encode(vectors))

    @property
    def _codes(self) -> "_Codes":
        """Return all codes in cell order; merges those added since the last search."""
        if self._added or self._arranged is None:
            self._arranged = self._sorted_in()
            self._added, self._ids = [], self._arranged.ids
        return self._arranged

    def _sorted_in(self) -> "_Codes":
        model, old = self.model, self._arranged
        cells = [cells for cells, _ in self._added]
        codes = [codes for _, codes in self._added]
        if old is not None:
            cells = [np.repeat(np.arange(model.cells), np.diff(old.starts)), *cells]
            codes = [old.codes, *codes]
        all_cells = np.concatenate([np.empty(0, np.int64), *cells])
        all_codes = np.concatenate([np.empty((0, model.code_bytes), np.uint8), *codes])
        order = np.lexsort((self._ids, all_cells))
        starts = np.zeros(model.cells + 1, np.int64)
        np.cumsum(np.bincount(all_cells, minlength=model.cells), out=starts[1:])
        return _Codes(all_codes[order], self._ids[order], starts)

    def _nearest(
        self, codes: "_Codes", parts: np.ndarray, k: int, quota: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find positions and distances of the nearest points of a block of queries, as heaps."""
        model = self.model
        orders, visits = nearest_cells(parts, model.coarse, np.diff(codes.starts), quota)
        distances = np.full((len(parts), k), np.inf, np.float32)
        places = np.full((len(parts), k), -1, np.int64)
        scanned = len(parts) * min(quota, len(codes.ids))
        if scanned < SHARED_DECODING * len(codes.ids):
            learnt = (model.coarse, model.means, model.rotations, model.words_by_axis)
            place = (codes.codes, codes.starts)
            scan_codes(parts, orders, visits, *learnt, *place, distances, places)
            return places, distances
        local = _LocalQueries(model, parts)
        visitors_of = np.repeat(np.arange(len(parts)), visits)
        rank = np.arange(orders.shape[1])
        rounds = orders + model.cells * (rank >= FIRST_ROUND)
        for visited, rows in members(rounds[rank < visits[:, None]]):
            cell, visitors = visited % model.cells, visitors_of[rows]
            start, stop = codes.starts[cell : cell + 2]
            own = local.at(cell, visitors)
            for first in range(start, stop, POINT_BLOCK):
                words = model.words_of(cell, codes.codes[first : min(stop, first + POINT_BLOCK)])
                keep_nearest(own, words, own @ words.T, visitors, first, distances, places)
        return places, distances


class _LocalQueries:
    """Queries [q, S, d] in the local axes of cells, accessed in ascending order.

    With one split, only the queries that scan a cell are rotated. With two splits, cells with the
    same first centroid are consecutive: the rotated queries are cached for one centroid of the
    first split and for all centroids of the second.
    """

    def __init__(self, model: LopqModel, parts: np.ndarray) -> None:
        self._model, self._parts = model, parts
        self._rotated: dict[tuple[int, int], np.ndarray] = {}

    def at(self, cell: int, rows: np.ndarray) -> np.ndarray:
        """Return some queries in the axes of a cell, float32 [rows, S * d]."""
        centroids = self._model.centroids_of(cell)
        if len(centroids) == 1:
            return self._model.in_local_axes(0, cell, self._parts[rows, 0])
        if (0, centroids[0]) not in self._rotated:
            self._rotated = {key: kept for key, kept in self._rotated.items() if key[0] == 1}
        for key in enumerate(centroids):
            if key not in self._rotated:
                self._rotated[key] = self._model.in_local_axes(*key, self._parts[:, key[0]])
        return np.concatenate([self._rotated[key][rows] for key in enumerate(centroids)], axis=1)


LEARNT = ("coarse", "means", "rotations", "codebooks")


class _Codes:
    """Codes uint8 [n, bytes] and ids int64 [n] by cell, and the start of each cell."""

    def __init__(self, codes: np.ndarray, ids: np.ndarray, starts: np.ndarray) -> None:
        self.codes, self.ids, self.starts = codes, ids, starts
