"""Queries, and their results computed in batches."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from car_retrieval.search.rocchio import GAMMA, rocchio
from car_retrieval.serving.retriever import Crop, Filters, Retriever, SearchResult


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search; queries with equal options are searched together."""

    k: int
    method: str
    filters: Filters


class Example(NamedTuple):
    """A further photo of a query.

    Attributes:
        image: packed photo, uint8 [3, R, R]; None: the stored descriptor of `id` is used.
        id: id of the photo if it is a gallery photo; it is left out of the matches.
    """

    image: NDArray[np.uint8] | None
    id: str | None


@dataclass(frozen=True, eq=False)
class Query:
    """A photo to describe and, with options, to search for; or several, combined to one search.

    Attributes:
        retriever: retriever of the run to search in; a reload does not change it.
        image: packed photo, uint8 [3, R, R]; None: the stored descriptor of the gallery photo
            `id` is used.
        id: id of the query photo if it is a gallery photo; it is left out of the matches.
        options: options of the search; None: only the descriptor is computed.
        crop: part of the photo that the image shows; None: all of it.
        also: further photos of what is sought.
        unlike: photos that the matches should not look like.
        gamma: weight of `unlike`, see `rocchio`.
    """

    retriever: Retriever
    image: NDArray[np.uint8] | None
    id: str | None = None
    options: SearchOptions | None = None
    crop: Crop | None = None
    also: Sequence[Example] = ()
    unlike: Sequence[Example] = ()
    gamma: float = GAMMA

    @property
    def examples(self) -> list[Example]:
        """All photos: the photo itself, `also`, and then `unlike`."""
        return [Example(self.image, self.id), *self.also, *self.unlike]

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the photos that are in the gallery."""
        return tuple(example.id for example in self.examples if example.id is not None)

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
        descriptor: descriptor of the query photo or the combined ones, float32 [D].
        result: result of the search, without the threshold, which was measured for single photos,
            if several were combined; None if the query has no options.
        crop: part of the photo that was searched with; None: all of it.
    """

    descriptor: NDArray[np.float32]
    result: SearchResult | None = None
    crop: Crop | None = None


def run_queries(queries: Sequence[Query]) -> list[QueryResult]:
    """Describe the photos of all queries in one batch, and search by groups of equal options.

    Raises:
        NothingLeftError: the photos of a query cancel each other out.
    """
    descriptors = _describe(queries)
    results = [QueryResult(descriptor) for descriptor in descriptors]
    groups: dict[tuple[Retriever, SearchOptions, tuple[str, ...]], list[int]] = defaultdict(list)
    for place, query in enumerate(queries):
        if query.options is not None:
            groups[query.retriever, query.options, query.ids].append(place)
    for (retriever, options, own), places in groups.items():
        found = retriever.search(
            np.stack([descriptors[place] for place in places]),
            options.k,
            options.method,
            options.filters,
            own,
        )
        for place, result in zip(places, found, strict=True):
            query = queries[place]
            if query.also or query.unlike:
                result = result.without_threshold()
            results[place] = QueryResult(descriptors[place], result, query.crop)
    return results


def _describe(queries: Sequence[Query]) -> list[NDArray[np.float32]]:
    """Return the descriptor of each query, float32 [D], in order."""
    described = iter(_describe_examples([(q.retriever, e) for q in queries for e in q.examples]))
    combined = []
    for query in queries:
        own = np.stack([next(described) for _ in query.examples])
        unlike_from = len(own) - len(query.unlike)
        combined.append(rocchio(own[:unlike_from], own[unlike_from:], query.gamma))
    return combined


def _describe_examples(
    examples: Sequence[tuple[Retriever, Example]],
) -> list[NDArray[np.float32]]:
    """Return the descriptor of each photo, float32 [D], in order; images in one batch each run."""
    images: dict[Retriever, dict[int, NDArray[np.uint8]]] = defaultdict(dict)
    descriptors: dict[int, NDArray[np.float32]] = {}
    for place, (retriever, example) in enumerate(examples):
        if example.image is not None:
            images[retriever][place] = example.image
        else:
            assert example.id is not None
            descriptors[place] = retriever.descriptor(example.id)
    for retriever, by_place in images.items():
        described = retriever.describe(np.stack(list(by_place.values())))
        descriptors.update(zip(by_place, described, strict=True))
    return [descriptors[place] for place in range(len(examples))]
