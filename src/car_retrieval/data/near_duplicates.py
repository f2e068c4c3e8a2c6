"""Photos of one class that are one picture in several files: resized, recompressed, cropped a bit.

The difference hashes of such files differ in few of their 64 bits. Where one of two trains and the
other validates, or is a query, the scores say nothing.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from tqdm import tqdm

from car_retrieval.data.photo_table import require_columns

MOST_BITS = 7
"""The largest distance at which `close_pairs` misses none.

Of 7 bits that differ, one of four quarters of a hash has at most 1, which is what its table is
searched for (multi-index hashing: Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with
Multi-Index Hashing", CVPR 2012).
"""
QUARTERS, QUARTER_BITS, FLIPPED = 4, 16, 1
BLOCK = 4096


def near_groups(photos: pd.DataFrame, distance: int | None) -> pd.Series:
    """Which photos of a class show one picture: those linked by hashes that are close.

    Args:
        photos: Class, Hash, DHash.
        distance: bits of DHash, at most `MOST_BITS`, in which neighbours in a group may differ;
            none: only copies of one file are a group.

    Returns:
        The smallest Hash of each photo's group, by the index of `photos`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if distance is None:
        return photos["Hash"]
    looks = _looks(photos)
    bits, ends = _bits(looks["DHash"]), [np.empty((2, 0), np.intp)]
    for rows in looks.groupby("Class").indices.values():
        for one, other in close_pairs(bits[rows], bits[rows], distance):
            ends.append(np.stack([rows[one], rows[other]]))
    one, other = np.concatenate(ends, axis=1)
    links = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(looks),) * 2)
    looks["group"] = connected_components(links, directed=False)[1]
    group = photos[["Class", "DHash"]].merge(looks, how="left")["group"].to_numpy()
    return photos.groupby(group)["Hash"].transform("min")


def near_copies(photos: pd.DataFrame, distance: int | None) -> pd.Series:
    """Whether a photo's group holds other files than copies of its own; bool."""
    groups = near_groups(photos, distance)
    return photos.groupby([photos["Class"], groups])["Hash"].transform("nunique") > 1


def near_in(queries: pd.DataFrame, gallery: pd.DataFrame, distance: int | None) -> pd.Series:
    """Whether the gallery has a query's picture, of its class, in another file; bool.

    Args:
        queries: Class, Hash, DHash.
        gallery: the same.
        distance: bits of DHash in which the two may differ; none: the gallery never has.
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
    """Whether a photo of another class looks the same, without being a copy of the file; bool.

    Args:
        photos: Class, Hash, DHash.
        distance: bits of DHash in which the two may differ; none: no photo does.
    """
    if distance is None:
        return pd.Series(False, index=photos.index)
    looks = _looks(photos).groupby("DHash")["Class"].agg(["min", "max"])
    bits, least, most = _bits(looks.index), looks["min"].to_numpy(), looks["max"].to_numpy()
    smallest, largest = least.copy(), most.copy()
    for one, other in close_pairs(bits, bits, distance, "comparing looks"):
        np.minimum.at(smallest, one, least[other])
        np.maximum.at(largest, one, most[other])
    row = looks.index.get_indexer(pd.Index(photos["DHash"]))
    single = photos.groupby("Hash")["Class"].transform("nunique") == 1
    return single & ((photos["Class"] > smallest[row]) | (photos["Class"] < largest[row]))


def close_pairs(
    searched: np.ndarray, found: np.ndarray, distance: int, title: str | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every two hashes that differ in at most `distance` bits, some thousand searched at a time.

    Args:
        searched: uint8 [n, 8].
        found: uint8 [m, 8].
        distance: at most `MOST_BITS`.
        title: of the progress bar; none: no bar.

    Yields:
        Rows of `searched` and of `found`.
    """
    import faiss

    if not 0 <= distance <= MOST_BITS:
        raise ValueError(f"hashes are compared to at most {MOST_BITS} bits, not {distance}")
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


def _looks(photos: pd.DataFrame) -> pd.DataFrame:
    require_columns(photos, ["DHash"])
    return photos[["Class", "DHash"]].drop_duplicates(ignore_index=True)


def _bits(hashes: pd.Series | pd.Index) -> np.ndarray:
    """uint8 [n, 8] of n times 16 hex digits."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(-1, 8)
