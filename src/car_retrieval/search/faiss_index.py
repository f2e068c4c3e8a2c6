"""Faiss indexes by factory string."""

import re
from typing import Any

import faiss
import numpy as np

from car_retrieval.search.index import Index, check_positive, checked_vectors


class FaissIndex(Index):
    """Faiss index by factory string: `OPQ32_128,IVF64,PQ32x4fs`, `HNSW32`, `IVF64,RaBitQ`, ...

    The metric is Euclidean distance, which ranks unit vectors like the inner product.

    Args:
        factory: see https://github.com/facebookresearch/faiss/wiki/The-index-factory
        search: faiss search parameters, such as nprobe, efSearch.
    """

    kind = "faiss"

    def __init__(self, factory: str, search: dict[str, float] | None = None) -> None:
        super().__init__()
        self.factory, self.parameters = factory, dict(search or {})
        self._index: faiss.Index | None = None

    def fit(self, vectors: np.ndarray, seed: int) -> None:
        """Train; see `Index.fit`. faiss has fixed seeds, so `seed` has no effect.

        Any number of vectors suffices for the words of a product quantiser.
        """
        vectors = checked_vectors(vectors)
        try:
            index = faiss.index_factory(vectors.shape[1], self.factory)
            words = _allow_few_points(index)
            index.train(_enough(vectors, self.factory))
            del words
            self._apply_parameters(index, self.parameters)
        except RuntimeError as error:
            raise ValueError(f"faiss index {self.factory!r}: {_reason(error)}") from None
        self._index, self._ids = index, np.empty(0, np.int64)

    def tune(self, **search: float) -> None:
        """Set faiss search parameters.

        Raises:
            ValueError: the index does not have the parameter.
        """
        try:
            self._apply_parameters(self._trained, search)
        except RuntimeError as error:
            raise ValueError(f"faiss index {self.factory!r}: {_reason(error)}") from None
        self.parameters |= search

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the k nearest codes of each query; scores are negative squared distances."""
        check_positive(k=k)
        queries = checked_vectors(queries, self._trained.d)
        if not len(self):
            shape = (len(queries), k)
            return np.full(shape, -1, np.int64), np.full(shape, -np.inf, np.float32)
        distances, places = self._trained.search(queries, k)
        ids = np.where(places < 0, -1, self._ids[places])
        return ids, np.where(places < 0, -np.inf, -distances).astype(np.float32)

    @property
    def bytes_per_vector(self) -> float:
        """Size of the serialised index and the ids, per vector."""
        arrays, _ = self.state()
        return sum(array.nbytes for array in arrays.values()) / max(1, len(self))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """See `Index.state`."""
        arrays: dict[str, np.ndarray] = {
            "index": faiss.serialize_index(self._trained),
            "ids": self._ids,
        }
        return arrays, {"factory": self.factory, "search": self.parameters}

    @classmethod
    def from_state(cls, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> "FaissIndex":
        """See `Index.from_state`."""
        index = cls(about["factory"], about["search"])
        index._index = faiss.deserialize_index(arrays["index"])
        index._ids = arrays["ids"]
        index._apply_parameters(index._index, index.parameters)
        return index

    @property
    def _trained(self) -> faiss.Index:
        if self._index is None:
            raise ValueError("index is not fitted: call fit first")
        return self._index

    def _add(self, vectors: np.ndarray) -> None:
        self._trained.add(checked_vectors(vectors, self._trained.d))

    @staticmethod
    def _apply_parameters(index: faiss.Index, parameters: dict[str, float]) -> None:
        for name, value in parameters.items():
            faiss.ParameterSpace().set_index_parameter(index, name, value)


def _enough(vectors: np.ndarray, factory: str) -> np.ndarray:
    """Repeat training vectors, if a product quantiser has more words than there are vectors."""
    words = [2 ** int(bits or 8) for bits in re.findall(r"PQ\d+(?:x(\d+))?", factory)]
    repeats = -(-max(words, default=1) // max(1, len(vectors)))
    return np.tile(vectors, (repeats, 1)) if repeats > 1 else vectors


def _reason(error: RuntimeError) -> str:
    """Return faiss's error message without the source location."""
    return re.sub(r"^Error in .* at \S+:\d+: (Error: )?", "", " ".join(str(error).split()))


def _allow_few_points(index: Any) -> list[faiss.ProductQuantizer]:
    """Suppress faiss's warning on stderr for each k-means with few points.

    Returns:
        Objects that must stay alive until the index is trained.
    """
    steps, words = [], []
    if isinstance(index, faiss.IndexPreTransform):
        chain: Any = index.chain
        steps = [faiss.downcast_VectorTransform(chain.at(i)) for i in range(chain.size())]
        index = faiss.downcast_index(index.index)
    for step in steps:
        if isinstance(
            step, faiss.OPQMatrix
        ):  # by default it creates an equal quantiser that does warn
            words.append(faiss.ProductQuantizer(step.d_out, step.M, 8))
            step.pq = words[-1]
    for clustered in (index, getattr(index, "pq", None), *words):
        if clustered is not None and hasattr(clustered, "cp"):
            clustered.cp.min_points_per_centroid = 1
    return words
