"""Queries, and their results computed in batches."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_retrieval.serving.retriever import Crop, Filters, Retriever, SearchResult


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search; queries with equal options are searched together."""

    k: int
    method: str
    filters: Filters


@dataclass(frozen=True, eq=False)
class Query:
    """A photo to describe and, with options, to search for.

    Attributes:
        retriever: retriever of the run to search in; a reload does not change it.
        image: packed photo, uint8 [3, R, R]; None: the stored descriptor of the gallery photo
            `id` is used.
        id: id of the query photo if it is a gallery photo; it is left out of the matches.
        options: options of the search; None: only the descriptor is computed.
        crop: part of the photo that the image shows; None: all of it.
    """

    retriever: Retriever
    image: NDArray[np.uint8] | None
    id: str | None = None
    options: SearchOptions | None = None
    crop: Crop | None = None

    def pixels(self) -> NDArray[np.uint8]:
        """Return the photo as the network sees it, uint8 [3, R, R]."""
        if self.image is not None:
            return self.image
        assert self.id is not None
        return self.retriever.packed(self.id)


@dataclass(frozen=True, eq=False)
class QueryResult:
    """Descriptor and matches of a query.

    Attributes:
        descriptor: descriptor of the query photo, float32 [D].
        result: result of the search; None if the query has no options.
        crop: part of the photo that was searched with; None: all of it.
    """

    descriptor: NDArray[np.float32]
    result: SearchResult | None = None
    crop: Crop | None = None


def run_queries(queries: Sequence[Query]) -> list[QueryResult]:
    """Describe the photos of all queries in one batch, and search by groups of equal options."""
    descriptors = _describe(queries)
    results = [QueryResult(descriptor) for descriptor in descriptors]
    groups: dict[tuple[Retriever, SearchOptions, str | None], list[int]] = defaultdict(list)
    for place, query in enumerate(queries):
        if query.options is not None:
            groups[query.retriever, query.options, query.id].append(place)
    for (retriever, options, own), places in groups.items():
        found = retriever.search(
            np.stack([descriptors[place] for place in places]),
            options.k,
            options.method,
            options.filters,
            () if own is None else [own],
        )
        for place, result in zip(places, found, strict=True):
            results[place] = QueryResult(descriptors[place], result, queries[place].crop)
    return results


def _describe(queries: Sequence[Query]) -> list[NDArray[np.float32]]:
    """Return the descriptor of each query, float32 [D], in order."""
    images: dict[Retriever, dict[int, NDArray[np.uint8]]] = defaultdict(dict)
    descriptors: dict[int, NDArray[np.float32]] = {}
    for place, query in enumerate(queries):
        if query.image is not None:
            images[query.retriever][place] = query.image
        else:
            assert query.id is not None
            descriptors[place] = query.retriever.descriptor(query.id)
    for retriever, by_place in images.items():
        described = retriever.describe(np.stack(list(by_place.values())))
        descriptors.update(zip(by_place, described, strict=True))
    return [descriptors[place] for place in range(len(queries))]
