"""Which cells a query visits, in which order."""

import numpy as np
from numba import njit


def plan_visits(
    queries: np.ndarray, coarse: np.ndarray, sizes: np.ndarray, quota: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cells that each query visits until they hold `quota` points.

    Args:
        queries: float32 [q, S, d].
        coarse: float32 [S, V, d].
        sizes: int64 [V ** S], points in each cell.
        quota: points wanted.

    Returns:
        Cells int64 [q, m], nearest first, of which int64 [q] are to be visited.
    """
    most = min(quota, int(np.count_nonzero(sizes)))  # each visited cell holds a point or more
    orders = np.empty((len(queries), most), np.int64)
    counts = np.empty(len(queries), np.int64)
    _plan(queries, coarse, sizes, quota, orders, counts)
    return orders, counts


@njit(cache=True, nogil=True)
def _plan(
    queries: np.ndarray,
    coarse: np.ndarray,
    sizes: np.ndarray,
    quota: int,
    orders: np.ndarray,
    counts: np.ndarray,
) -> None:
    for q in range(len(queries)):
        distances = coarse_distances(queries[q], coarse)
        counts[q] = visiting_order(distances, sizes, quota, orders[q])


@njit(cache=True, fastmath=True)
def coarse_distances(query: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Squared distances float32 [S, V] of a query [S, d] to the coarse centroids [S, V, d]."""
    splits, centroids, dimension = coarse.shape
    distances = np.empty((splits, centroids), np.float32)
    for s in range(splits):
        for v in range(centroids):
            total = np.float32(0)
            for i in range(dimension):
                difference = query[s, i] - coarse[s, v, i]
                total += difference * difference
            distances[s, v] = total
    return distances


@njit(cache=True)
def visiting_order(distances: np.ndarray, sizes: np.ndarray, quota: int, order: np.ndarray) -> int:
    """Cells by rising distance until they hold `quota` points (multi-sequence algorithm).

    The cell of coarse centroids i and j has the number i * V + j and the distance
    distances[0, i] + distances[1, j]; equal distances are ordered by the ranks of i, then j.
    Empty cells are passed over. Babenko & Lempitsky, The inverted multi-index, CVPR 2012, fig. 3.

    Args:
        distances: float32 [S, V].
        sizes: int64 [V ** S], points in each cell.
        quota: points wanted.
        order: int64 [m], filled with cells; as long as there may be visits.

    Returns:
        The number of cells to visit.
    """
    splits, centroids = distances.shape
    heap = np.empty(centroids, np.int64)
    visited, points, used = 0, 0, 0
    if splits == 1:
        for cell in range(centroids):
            _push(heap, cell, distances[0], cell)
        used = centroids
        while used and points < quota:
            cell = heap[0]
            if sizes[cell]:
                order[visited] = cell
                visited += 1
                points += sizes[cell]
            used -= 1
            heap[0] = heap[used]
            _sink_row(heap, used, distances[0])
        return visited
    first = np.argsort(distances[0], kind="mergesort")
    second = np.argsort(distances[1], kind="mergesort")
    # One candidate a row: row i has been walked up to column `column[i]`; a heap of rows.
    column = np.zeros(centroids, np.int64)
    keys = np.empty(centroids, np.float32)
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
