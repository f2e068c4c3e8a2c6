"""Multi-sequence algorithm: nearest cells of a query (Babenko & Lempitsky, CVPR 2012)."""

import numpy as np
from numba import njit

STRETCH = 32  # centroids per cached minimum distance


def nearest_cells(
    queries: np.ndarray, coarse: np.ndarray, sizes: np.ndarray, quota: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest cells of each query that together hold `quota` points.

    Args:
        queries: float32 [q, S, d].
        coarse: float32 [S, V, d].
        sizes: int64 [V ** S], points in each cell.
        quota: minimum number of points.

    Returns:
        Cells int64 [q, m], nearest first, and the number of valid cells int64 [q].
    """
    distances = coarse_distances(queries, coarse)
    most = min(quota, int(np.count_nonzero(sizes)))  # each cell holds at least one point
    orders = np.empty((len(queries), most), np.int64)
    counts = np.empty(len(queries), np.int64)
    # Sorted here, for a sort takes numba seconds to compile; one split needs none.
    ranks = np.argsort(distances if coarse.shape[0] == 2 else distances[..., :0], kind="stable")
    _plan(distances, ranks, sizes, quota, orders, counts)
    return orders[:, : counts.max(initial=0)], counts


@njit(cache=True, nogil=True)
def _plan(
    distances: np.ndarray,
    ranks: np.ndarray,
    sizes: np.ndarray,
    quota: int,
    orders: np.ndarray,
    counts: np.ndarray,
) -> None:
    for q in range(len(distances)):
        counts[q] = multi_sequence(distances[q], ranks[q], sizes, quota, orders[q])


def coarse_distances(queries: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Compute squared distances of queries [q, S, d] to coarse centroids [S, V, d].

    The squared length of the query, the same for all centroids, is omitted.

    Returns:
        float32 [q, S, V].
    """
    lengths = np.einsum("svd,svd->sv", coarse, coarse)
    products = np.matmul(queries.swapaxes(0, 1), coarse.swapaxes(1, 2)).swapaxes(0, 1)
    return np.ascontiguousarray(lengths - 2 * products)


@njit(cache=True)
def multi_sequence(
    distances: np.ndarray, ranks: np.ndarray, sizes: np.ndarray, quota: int, order: np.ndarray
) -> int:
    """List cells by ascending distance until they hold `quota` points.

    The cell of coarse centroids i and j has the number i * V + j and the distance
    distances[0, i] + distances[1, j]; ties are ordered by the ranks of i, then j. Empty cells are
    skipped. Babenko & Lempitsky, The inverted multi-index, CVPR 2012, fig. 3.

    Args:
        distances: float32 [S, V].
        ranks: int64 [S, V], centroids of each split by ascending distance, then number; not used
            with one split.
        sizes: int64 [V ** S], points in each cell.
        quota: minimum number of points.
        order: int64 [m], filled with cells; m is at least the number of cells found.

    Returns:
        Number of cells found.
    """
    splits, centroids = distances.shape
    if splits == 1:
        return _nearest_first(distances[0], sizes, quota, order)
    visited, points = 0, 0
    first, second = ranks[0], ranks[1]
    # One candidate per row: the next column of row i is `column[i]`; a heap of rows.
    column = np.zeros(centroids, np.int64)
    keys = np.empty(centroids, np.float32)
    heap = np.empty(centroids, np.int64)
    keys[0] = distances[0, first[0]] + distances[1, second[0]]
    heap[0], used = 0, 1
    while used and points < quota:
        row = heap[0]
        if column[row] == 0 and row + 1 < centroids:
            keys[row + 1] = distances[0, first[row + 1]] + distances[1, second[0]]
            _push(heap, used, keys, row + 1)
            used += 1
        cell = first[row] * centroids + second[column[row]]
        if sizes[cell]:
            order[visited] = cell
            visited += 1
            points += sizes[cell]
        column[row] += 1
        if column[row] < centroids:
            keys[row] = distances[0, first[row]] + distances[1, second[column[row]]]
        else:
            used -= 1
            heap[0] = heap[used]
        _sink_row(heap, used, keys)
    return visited


@njit(cache=True)
def _nearest_first(distances: np.ndarray, sizes: np.ndarray, quota: int, order: np.ndarray) -> int:
    """List cells of one split: few of many, for which a heap of all cells would be slower."""
    left = distances.copy()
    count = (len(left) + STRETCH - 1) // STRETCH
    least = np.empty(count, left.dtype)
    for stretch in range(count):
        least[stretch] = _least(left[stretch * STRETCH : (stretch + 1) * STRETCH])
    visited, points = 0, 0
    for _ in range(len(left)):
        if points >= quota:
            break
        nearest, stretch = _least(least), 0
        while least[stretch] != nearest:
            stretch += 1
        cell = stretch * STRETCH
        while left[cell] != nearest:
            cell += 1
        left[cell] = np.inf
        least[stretch] = _least(left[stretch * STRETCH : (stretch + 1) * STRETCH])
        if sizes[cell]:
            order[visited] = cell
            visited += 1
            points += sizes[cell]
    return visited


@njit(cache=True, fastmath={"nnan", "nsz"})
def _least(values: np.ndarray) -> float:
    least = values[0]
    for value in values:
        least = min(least, value)
    return least


@njit(cache=True)
def _push(heap: np.ndarray, used: int, keys: np.ndarray, row: int) -> None:
    place = used
    while place:
        parent = (place - 1) >> 1
        if not _row_before(keys, row, heap[parent]):
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = row


@njit(cache=True)
def _sink_row(heap: np.ndarray, used: int, keys: np.ndarray) -> None:
    if used == 0:
        return
    row, place = heap[0], 0
    while True:
        child = 2 * place + 1
        if child >= used:
            break
        if child + 1 < used and _row_before(keys, heap[child + 1], heap[child]):
            child += 1
        if not _row_before(keys, heap[child], row):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = row


@njit(cache=True)
def _row_before(keys: np.ndarray, a: int, b: int) -> bool:
    return keys[a] < keys[b] or (keys[a] == keys[b] and a < b)
