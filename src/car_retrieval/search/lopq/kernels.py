"""Compiled kernels of LOPQ search: distance tables, code scan, top k.

Compiled by numba on first use and cached beside the file. Distances are squared. Loops stand where
numpy's functions of arrays would compile for seconds.
"""

import numpy as np
from numba import njit

STRETCH = 32  # points skipped together if none of them is near


@njit(cache=True, nogil=True)
def scan_codes(
    queries: np.ndarray,
    orders: np.ndarray,
    visits: np.ndarray,
    coarse: np.ndarray,
    means: np.ndarray,
    rotations: np.ndarray,
    codebooks: np.ndarray,
    codes: np.ndarray,
    starts: np.ndarray,
    distances: np.ndarray,
    places: np.ndarray,
) -> None:
    """Find the nearest codes of each query by table look-ups (asymmetric distance computation).

    Args:
        queries: float32 [q, S, d].
        orders: int64 [q, m], cells by ascending distance.
        visits: int64 [q], number of cells to scan.
        coarse: float32 [S, V, d].
        means: float32 [S, V, d].
        rotations: float32 [S, V, d, d].
        codebooks: float32 [S, V or 1, subspaces, d / subspaces, words].
        codes: uint8 [n, M], the points in cell order.
        starts: int64 [V ** S + 1], start of each cell.
        distances: float32 [q, k], heaps of the nearest, farthest first; updated in place.
        places: int64 [q, k], positions of these points in the cell order; updated in place.
    """
    splits, centroids, _ = coarse.shape
    half = codes.shape[1] // splits
    for q in range(len(queries)):
        query = queries[q]
        tables = np.empty((splits, centroids, half, 256), np.float32)
        floors = np.empty((splits, centroids), np.float32)
        ready = np.zeros((splits, centroids), np.bool_)
        for cell in orders[q, : visits[q]]:
            least = np.float32(0)
            for s in range(splits):
                v = _centroid(cell, s, splits, centroids)
                if not ready[s, v]:
                    ready[s, v] = True
                    book = codebooks[s, v % codebooks.shape[1]]
                    floors[s, v] = _fill_table(
                        query[s], coarse[s, v], means[s, v], rotations[s, v], book, tables[s, v]
                    )
                least += floors[s, v]
            if least > distances[q, 0]:
                continue
            first = tables[0, _centroid(cell, 0, splits, centroids)]
            second = tables[splits - 1, cell % centroids]
            _scan_cell(
                codes, starts[cell], starts[cell + 1], first, second, distances[q], places[q]
            )


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nnan", "nsz"})
def keep_nearest(
    queries: np.ndarray,
    points: np.ndarray,
    products: np.ndarray,
    rows: np.ndarray,
    start: int,
    distances: np.ndarray,
    places: np.ndarray,
) -> None:
    """Update the nearest points of queries with the points of a cell.

    Args:
        queries: float32 [v, d], queries that scan the cell.
        points: float32 [n, d].
        products: float32 [v, n], inner products of queries and points.
        rows: int64 [v], rows of these queries in `distances` and `places`.
        start: position of the first point.
        distances: float32 [q, k], heaps of the nearest, farthest first; updated in place.
        places: int64 [q, k], positions of these points; updated in place.
    """
    lengths = np.empty(len(points), np.float32)
    for i in range(len(points)):
        lengths[i] = _squared_length(points[i])
    found = np.empty(len(points), np.float32)
    for v in range(len(rows)):
        kept, kept_places = distances[rows[v]], places[rows[v]]
        own = _squared_length(queries[v])
        for i in range(len(points)):
            found[i] = own + lengths[i] - np.float32(2) * products[v, i]
        for first in range(0, len(points), STRETCH):
            stretch = found[first : first + STRETCH]
            least = stretch[0]
            for i in range(len(stretch)):  # a minimum is faster than a filter
                least = min(least, stretch[i])
            if least < kept[0]:
                for i in range(len(stretch)):
                    if stretch[i] < kept[0]:
                        _replace_farthest(kept, kept_places, stretch[i], start + first + i)


@njit(cache=True)
def look_up(codes: np.ndarray, book: np.ndarray, offset: int, out: np.ndarray) -> None:
    """Decode one split of codes uint8 [n, M].

    Args:
        codes: whole codes; with 16 words, two subspaces share a byte, the first in its low half.
        book: float32 [subspaces, words, width].
        offset: first byte of this split.
        out: float32 [n, subspaces * width], filled with the words.
    """
    subspaces, words, width = book.shape
    for p in range(len(codes)):
        for s in range(subspaces):
            if words == 256:
                word = codes[p, offset + s]
            else:
                word = (codes[p, offset + s // 2] >> (4 * (s % 2))) & 15
            for i in range(width):
                out[p, s * width + i] = book[s, word, i]


@njit(cache=True)
def _centroid(cell: int, split: int, splits: int, centroids: int) -> int:
    return cell // centroids if split == 0 and splits == 2 else cell % centroids


@njit(cache=True, fastmath=True)
def _fill_table(
    part: np.ndarray,
    centroid: np.ndarray,
    mean: np.ndarray,
    rotation: np.ndarray,
    book: np.ndarray,
    table: np.ndarray,
) -> np.float32:
    """Fill a table float32 [bytes, 256] with distances by code byte; return the smallest sum."""
    subspaces, width, words = book.shape
    residual = np.empty(len(part), np.float32)
    for i in range(len(part)):
        residual[i] = part[i] - centroid[i] - mean[i]
    entries = np.zeros((subspaces, words), np.float32)
    for s in range(subspaces):
        for i in range(width):
            value = np.float32(0)
            for j in range(len(part)):
                value += rotation[s * width + i, j] * residual[j]
            for w in range(words):
                difference = value - book[s, i, w]
                entries[s, w] += difference * difference
    least = np.float32(0)
    for s in range(subspaces):
        smallest = entries[s, 0]
        for w in range(words):
            smallest = min(smallest, entries[s, w])
        least += smallest
    for b in range(len(table)):
        if words == 256:
            for w in range(words):
                table[b, w] = entries[b, w]
        else:
            for high in range(16):
                for low in range(16):
                    table[b, 16 * high + low] = entries[2 * b, low] + entries[2 * b + 1, high]
    return least


@njit(cache=True, fastmath={"reassoc", "contract"})
def _squared_length(vector: np.ndarray) -> np.float32:
    total = np.float32(0)
    for value in vector:
        total += value * value
    return total


@njit(cache=True, fastmath={"reassoc", "contract"})
def _scan_cell(
    codes: np.ndarray,
    start: int,
    stop: int,
    first: np.ndarray,
    second: np.ndarray,
    distances: np.ndarray,
    places: np.ndarray,
) -> None:
    half, width = len(first), codes.shape[1]
    for place in range(start, stop):
        total = np.float32(0)
        for b in range(half):
            total += first[b, codes[place, b]]
        for b in range(width - half):
            total += second[b, codes[place, half + b]]
        if total < distances[0]:
            _replace_farthest(distances, places, total, place)


@njit(cache=True)
def _replace_farthest(
    distances: np.ndarray, places: np.ndarray, distance: np.float32, place: int
) -> None:
    """Replace the root of a heap, the farthest entry."""
    size, node = len(distances), 0
    while True:
        child = 2 * node + 1
        if child >= size:
            break
        if child + 1 < size and distances[child + 1] > distances[child]:
            child += 1
        if distances[child] <= distance:
            break
        distances[node], places[node] = distances[child], places[child]
        node = child
    distances[node], places[node] = distance, place
