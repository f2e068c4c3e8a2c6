"""Search requests, and the answers to a batch of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_retrieval.serving.retriever import Answer, Crop, Retriever, Where


@dataclass(frozen=True)
class Options:
    """How to search; requests with the same options are searched together."""

    k: int
    method: str
    where: Where


@dataclass(frozen=True, eq=False)
class Query:
    """A photo to search for, or to describe only.

    Attributes:
        retriever: of the run to search in; it stays the same while a newer run comes in.
        image: uint8 [3, R, R]; None stands for the gallery photo `row`, whose descriptor is known.
        row: of the gallery photo that is asked about, and so is not found itself.
        options: None asks for the descriptor alone.
        crop: the part of the photo that the image shows; None: all of it.
    """

    retriever: Retriever
    image: NDArray[np.uint8] | None
    row: int | None = None
    options: Options | None = None
    crop: Crop | None = None

    def pixels(self) -> NDArray[np.uint8]:
        """The photo as the network sees it, uint8 [3, R, R]."""
        if self.image is not None:
            return self.image
        assert self.row is not None
        return self.retriever.packed(self.row)


@dataclass(frozen=True, eq=False)
class Found:
    """Descriptor, float32 [D], of a query, and what was found, where a search was asked for.

    `crop` is the query's.
    """

    descriptor: NDArray[np.float32]
    answer: Answer | None = None
    crop: Crop | None = None


def answer(queries: Sequence[Query]) -> list[Found]:
    """Describe the photos of all queries together, and search together what is searched alike."""
    descriptors = _describe(queries)
    found = [Found(descriptor) for descriptor in descriptors]
    alike: dict[tuple[Retriever, Options, int | None], list[int]] = defaultdict(list)
    for place, query in enumerate(queries):
        if query.options is not None:
            alike[query.retriever, query.options, query.row].append(place)
    for (retriever, options, row), places in alike.items():
        answers = retriever.search(
            np.stack([descriptors[place] for place in places]),
            options.k,
            options.method,
            options.where,
            None if row is None else [row],
        )
        for place, one in zip(places, answers, strict=True):
            found[place] = Found(descriptors[place], one, queries[place].crop)
    return found


def _describe(queries: Sequence[Query]) -> list[NDArray[np.float32]]:
    """Descriptors float32 [D], in order."""
    images: dict[Retriever, dict[int, NDArray[np.uint8]]] = defaultdict(dict)
    descriptors: dict[int, NDArray[np.float32]] = {}
    for place, query in enumerate(queries):
        if query.image is not None:
            images[query.retriever][place] = query.image
        else:
            assert query.row is not None
            descriptors[place] = query.retriever.descriptor(query.row)
    for retriever, new in images.items():
        described = retriever.describe(np.stack(list(new.values())))
        descriptors.update(zip(new, described, strict=True))
    return [descriptors[place] for place in range(len(queries))]
