"""Sizes of indexes that follow the number of photos and the dimension of their descriptors."""

import math
import re
from collections.abc import Mapping
from typing import Any

PHOTOS_PER_CELL = 8  # on average, at least; k-means needs one


def fitting(
    kind: str, settings: Mapping[str, Any], photos: int, dimension: int | None = None
) -> dict[str, Any]:
    """Reduce the sizes of an index to what a number of photos can fill; others stay as they are.

    Args:
        kind: `lopq` or `faiss`.
        settings: fields of `LopqParams`, or arguments of `FaissIndex`.
        photos: number of photos to fit and fill it with.
        dimension: dimension of the descriptors; None: not known yet.
    """
    cells = max(1, photos // PHOTOS_PER_CELL)
    sized = dict(settings)
    if kind == "faiss":
        sized["factory"] = _factory(settings["factory"], cells, dimension)
        return sized
    sized["coarse"] = min(settings["coarse"], cells)
    if settings["pca"] and settings["pca"] >= photos:
        words = settings["subquantisers"]
        components = (photos - 1) // words * words
        sized |= {"pca": components} if components else {"pca": None, "whiten": False}
    if dimension and not sized["pca"] and settings["subquantisers"] > dimension:
        words = math.gcd(settings["subquantisers"], dimension)
        sized |= {"subquantisers": words} | ({} if words % 2 == 0 else {"splits": 1})
        if words // sized["splits"] % 2:
            sized["bits"] = 8  # two words of 4 bits share a byte
    return sized


def changes(
    searchers: Mapping[str, tuple[str, Mapping[str, Any]]],
    photos: int,
    dimension: int | None = None,
) -> str:
    """Say what `fitting` changes; empty for nothing.

    Args:
        searchers: kind and settings by name.
        photos: see `fitting`.
        dimension: see `fitting`.
    """
    said = [
        f"{name} {setting} {settings[setting]} → {value}"
        for name, (kind, settings) in searchers.items()
        for setting, value in fitting(kind, settings, photos, dimension).items()
        if value != settings[setting]
    ]
    return ", ".join(said)


def _factory(factory: str, cells: int, dimension: int | None) -> str:
    factory = re.sub(r"\bIVF(\d+)", lambda found: f"IVF{min(int(found[1]), cells)}", factory)
    if dimension is None:
        return factory
    cut = re.sub(r"_(\d+)\b", lambda found: f"_{min(int(found[1]), dimension)}", factory, count=1)

    def words(found: re.Match[str]) -> str:
        count = int(found[2])
        small = count > dimension or cut != factory  # words divide the dimension
        return found[1] + str(math.gcd(count, dimension) if small else count)

    return re.sub(r"\b(O?PQ)(\d+)", words, cut)
