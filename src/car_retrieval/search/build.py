"""Construction of indexes from settings and gallery rows."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from car_retrieval.search.faiss_index import FaissIndex
from car_retrieval.search.index import ADD_BLOCK, Index, Vectors
from car_retrieval.search.lopq.fit import LopqParams
from car_retrieval.search.lopq.index import LopqIndex

TRAINING = 65_536  # maximum number of training vectors


def make_index(kind: str, settings: Mapping[str, Any]) -> Index:
    """Create an index that is not fitted yet.

    Args:
        kind: `lopq` or `faiss`.
        settings: fields of `LopqParams`, or arguments of `FaissIndex`.
    """
    return LopqIndex(LopqParams(**settings)) if kind == "lopq" else FaissIndex(**settings)


def fill(index: Index, gallery: Vectors, rows: np.ndarray, seed: int) -> tuple[float, float]:
    """Fit an index on a sample of gallery rows and add all of them; ids are the rows.

    Args:
        index: index to fit and fill.
        gallery: float32 [n, D]; read block by block.
        rows: int64 [m], ascending.
        seed: seed of the sample and the fit.

    Returns:
        Seconds to fit and to add, without reading the sample.

    Raises:
        ValueError: the index cannot be fitted to vectors of this number and dimension.
    """
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.choice(rows, min(len(rows), TRAINING), replace=False))
    training = gallery[sample]
    start = time.perf_counter()
    index.fit(training, seed)
    fitted = time.perf_counter()
    del training
    for ids in id_blocks(rows):
        index.add(gallery[ids], ids)
    return fitted - start, time.perf_counter() - fitted


def id_blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Split rows into blocks that fit into memory."""
    for start in range(0, len(rows), ADD_BLOCK):
        yield rows[start : start + ADD_BLOCK]
