"""faiss's own indexes by factory string, to compare with and to use."""

from typing import Any

import faiss
import numpy as np

from car_retrieval.search.index import Index


class FaissIndex(Index):
    """Any index of faiss's factory: `OPQ32_128,IVF64,PQ32x4fs`, `HNSW32`, `IVF64,RaBitQ`, ...

    It searches by Euclidean distance, which orders descriptors of unit length as the inner product
    does.

    Args:
        factory: see https://github.com/facebookresearch/faiss/wiki/The-index-factory
        search: how to search, by faiss's names, such as nprobe, efSearch.
    """

    kind = "faiss"

    def __init__(self, factory: str, search: dict[str, float] | None = None) -> None:
        super().__init__()
        self.factory, self.parameters = factory, dict(search or {})
        self._index: faiss.Index | None = None

    def fit(self, vectors: np.ndarray, seed: int) -> None:
        """Train; see `Index.fit`. faiss fixes its own seeds, so that `seed` changes nothing."""
        try:
            index = faiss.index_factory(vectors.shape[1], self.factory)
            _accept_few(index)
            index.train(np.ascontiguousarray(vectors, np.float32))
            self._index, self._ids = index, []
            self._apply_parameters()
        except RuntimeError as error:
            raise ValueError(f"faiss index {self.factory!r}: {_reason(error)}") from None

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest codes of each query; scores are negative squared distances."""
        if not len(self):
            shape = (len(queries), k)
            return np.full(shape, -1, np.int64), np.full(shape, -np.inf, np.float32)
        queries = np.ascontiguousarray(queries, np.float32)
        distances, places = self._trained.search(queries, k)
        ids = np.where(places < 0, -1, self._known_ids[places])
        return ids, np.where(places < 0, -np.inf, -distances).astype(np.float32)

    @property
    def bytes_per_vector(self) -> float:
        """The serialised index and the ids, a vector."""
        arrays, _ = self.state()
        return sum(array.nbytes for array in arrays.values()) / max(1, len(self))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """See `Index.state`."""
        arrays = {"index": faiss.serialize_index(self._trained), "ids": self._known_ids}
        return arrays, {"factory": self.factory, "search": self.parameters}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> "FaissIndex":
        """See `Index.from_state`."""
        index = cls(about["factory"], about["search"])
        index._index = faiss.deserialize_index(arrays["index"])
        index._ids = [arrays["ids"]]
        index._apply_parameters()
        return index

    @property
    def _trained(self) -> faiss.Index:
        if self._index is None:
            raise ValueError("the index is not fitted yet: call fit first")
        return self._index

    @property
    def _known_ids(self) -> np.ndarray:
        self._ids = [np.concatenate([np.empty(0, np.int64), *self._ids])]
        return self._ids[0]

    def _add(self, vectors: np.ndarray) -> None:
        self._trained.add(vectors)

    def _apply_parameters(self) -> None:
        for name, value in self.parameters.items():
            faiss.ParameterSpace().set_index_parameter(self._trained, name, value)


def _accept_few(index: faiss.Index) -> None:
    """Keep faiss from a warning for each clustering of few points; too few are still refused."""
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexPreTransform):
        _accept_few(index.index)
    learners: list[Any] = [index, getattr(index, "pq", None)]
    for learner in learners:
        if hasattr(learner, "cp"):
            learner.cp.min_points_per_centroid = 1


def _reason(error: RuntimeError) -> str:
    """The last part of faiss's message, after the place in its source."""
    return str(error).strip().splitlines()[-1].split("Error: ")[-1]
