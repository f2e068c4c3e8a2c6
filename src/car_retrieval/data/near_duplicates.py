"""Near-duplicates: files of one picture in a class, resized, recompressed or slightly cropped.

Their difference hashes differ in few of the 64 bits. If one file trains and another validates or
is a query, the scores are too high.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from tqdm import tqdm

from car_retrieval.data.photo_table import require_columns

MOST_BITS = 7
"""Largest Hamming distance at which `close_pairs` finds every pair.

Of 7 different bits, at least one of the four quarters of a hash has at most 1, and each quarter is
looked up within distance 1 (multi-index hashing: Norouzi, Punjani, Fleet, "Fast Search in Hamming
Space with Multi-Index Hashing", CVPR 2012).
"""
QUARTERS, QUARTER_BITS, FLIPPED = 4, 16, 1
BLOCK = 4096


def near_groups(photos: pd.DataFrame, distance: int | None) -> pd.Series:
    """Group the near-duplicates of each class: photos linked by similar hashes.

    Args:
        photos: Class, Hash, DHash.
        distance: largest Hamming distance of linked photos, at most `MOST_BITS`; None: only copies
            of one file form a group.

    Returns:
        Smallest Hash of each photo's group, by the index of `photos`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if distance is None:
        return photos["Hash"]
    hashes = _distinct(photos)
    bits, ends = _bits(hashes["DHash"]), [np.empty((2, 0), np.intp)]
    for rows in hashes.groupby("Class").indices.values():
        for one, other in close_pairs(bits[rows], bits[rows], distance):
            ends.append(np.stack([rows[one], rows[other]]))
    one, other = np.concatenate(ends, axis=1)
    links = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(hashes),) * 2)
    hashes["group"] = connected_components(links, directed=False)[1]
    group = photos[["Class", "DHash"]].merge(hashes, how="left")["group"].to_numpy()
    return photos.groupby(group)["Hash"].transform("min")


def near_copies(photos: pd.DataFrame, distance: int | None) -> pd.Series:
    """Return a mask of the photos whose group has other files than exact copies."""
    groups = near_groups(photos, distance)
    return photos.groupby([photos["Class"], groups])["Hash"].transform("nunique") > 1


def near_in(queries: pd.DataFrame, gallery: pd.DataFrame, distance: int | None) -> pd.Series:
    """Return a mask of the queries with a near-duplicate of their class in the gallery.

    Args:
        queries: Class, Hash, DHash.
        gallery: Class, Hash, DHash.
        distance: largest Hamming distance of near-duplicates; None: the mask is all False.
    """
    close = np.zeros(len(queries), bool)
    if distance is not None:
        require_columns(gallery, ["DHash"])
        found, there = _bits(gallery["DHash"]), gallery.groupby("Class").indices
        searched = _bits(queries["DHash"])
        for class_, rows in queries.groupby("Class").indices.items():
            for one, _ in close_pairs(searched[rows], found[there.get(class_, [])], distance):
                close[rows[one]] = True
    return pd.Series(close, index=queries.index) & ~queries["Hash"].isin(gallery["Hash"])


def near_elsewhere(photos: pd.DataFrame, distance: int | None) -> pd.Series:
    """Return a mask of the photos with a near-duplicate, not an exact copy, in another class.

    Args:
        photos: Class, Hash, DHash.
        distance: largest Hamming distance of near-duplicates; None: the mask is all False.
    """
    if distance is None:
        return pd.Series(False, index=photos.index)
    hashes = _distinct(photos).groupby("DHash")["Class"].agg(["min", "max"])
    bits, least, most = _bits(hashes.index), hashes["min"].to_numpy(), hashes["max"].to_numpy()
    smallest, largest = least.copy(), most.copy()
    for one, other in close_pairs(bits, bits, distance, "comparing hashes"):
        np.minimum.at(smallest, one, least[other])
        np.maximum.at(largest, one, most[other])
    row = hashes.index.get_indexer(pd.Index(photos["DHash"]))
    single = photos.groupby("Hash")["Class"].transform("nunique") == 1
    return single & ((photos["Class"] > smallest[row]) | (photos["Class"] < largest[row]))


def close_pairs(
    searched: np.ndarray, found: np.ndarray, distance: int, title: str | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Find all pairs of hashes that differ in at most `distance` bits, in blocks.

    Args:
        searched: uint8 [n, 8].
        found: uint8 [m, 8].
        distance: largest Hamming distance, at most `MOST_BITS`.
        title: title of the progress bar; None: no bar.

    Yields:
        Rows of `searched` and `found`.
    """
    import faiss

    if not 0 <= distance <= MOST_BITS:
        raise ValueError(f"the distance of hashes must be at most {MOST_BITS} bits, not {distance}")
    if not len(found):
        return
    index = faiss.IndexBinaryMultiHash(64, QUARTERS, QUARTER_BITS)
    index.nflip = FLIPPED
    index.add(found)
    starts = range(0, len(searched), BLOCK)
    for start in tqdm(starts, title, unit="block", disable=None if title else True):
        block = searched[start : start + BLOCK]
        limits, _, rows = index.range_search(block, distance + 1)
        yield start + np.repeat(np.arange(len(block)), np.diff(limits).astype(np.int64)), rows


def _distinct(photos: pd.DataFrame) -> pd.DataFrame:
    require_columns(photos, ["DHash"])
    return photos[["Class", "DHash"]].drop_duplicates(ignore_index=True)


def _bits(hashes: pd.Series | pd.Index) -> np.ndarray:
    """Convert n strings of 16 hex digits to uint8 [n, 8]."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(-1, 8)
