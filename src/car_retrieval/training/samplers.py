"""Batch samplers: batches of one epoch from labels and a random generator."""

from collections.abc import Callable, Iterator

import numpy as np
from pytorch_metric_learning import samplers
from pytorch_metric_learning.utils import common_functions

Batches = Iterator[np.ndarray]


def shuffle(labels: np.ndarray, batch_size: int, rng: np.random.Generator) -> Batches:
    """Sample every image once in random order, without a last batch of 1 image (batch norm)."""
    order = rng.permutation(len(labels))
    for start in range(0, len(order), batch_size):
        if len(batch := order[start : start + batch_size]) > 1:
            yield batch


def pk(
    labels: np.ndarray, batch_size: int, rng: np.random.Generator, photos_per_class: int = 4
) -> Batches:
    """Sample P classes × K photos: each image about once, in groups of K of its class.

    The photos of a class are split into groups of K; the last group is filled with photos of the
    class (Hermans et al., "In defense of the triplet loss", 2017, sec. 2).
    """
    if batch_size % photos_per_class:
        raise ValueError(
            f"training.batch_size = {batch_size} is not a multiple of "
            f"training.sampler.args.photos_per_class = {photos_per_class}"
        )
    groups = []
    for class_ in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == class_))
        missing = -len(members) % photos_per_class
        filled = np.concatenate([members, rng.choice(members, missing)])
        groups.append(filled.reshape(-1, photos_per_class))
    dealt = rng.permutation(np.concatenate(groups))
    for start in range(0, len(dealt), batch_size // photos_per_class):
        if len(batch := dealt[start : start + batch_size // photos_per_class].ravel()) > 1:
            yield batch


def tuples(
    labels: np.ndarray, batch_size: int, rng: np.random.Generator, negatives: int = 4
) -> Batches:
    """Sample rows of anchor, positive and negatives for `TupleSoftmax`, new in each epoch.

    Every image of a class with at least two images is an anchor once; a batch has as many rows as
    fit into `batch_size` images.
    """
    classes, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(classes) < 2 or sizes.max() < 2:
        raise ValueError("training.sampler: tuples needs two classes, one of them with two photos")
    by_class = np.argsort(inverse, kind="stable")
    start = np.concatenate([[0], np.cumsum(sizes)])
    place = np.empty(len(labels), np.int64)
    place[by_class] = np.arange(len(labels))
    anchors = rng.permutation(np.flatnonzero(sizes[inverse] > 1))
    own, size = inverse[anchors], sizes[inverse[anchors]]
    step = rng.integers(1, size)
    positive = by_class[start[own] + (place[anchors] - start[own] + step) % size]
    others = rng.integers(0, (len(labels) - size)[:, None], (len(anchors), negatives))
    others += np.where(others >= start[own][:, None], size[:, None], 0)
    rows = np.column_stack([anchors, positive, by_class[others]])
    count = max(1, batch_size // rows.shape[1])
    for first in range(0, len(rows), count):
        yield rows[first : first + count].ravel()


def m_per_class(
    labels: np.ndarray,
    batch_size: int,
    rng: np.random.Generator,
    m: int = 4,
    length_before_new_iter: int | None = None,
) -> Batches:
    """Sample by pytorch-metric-learning's `MPerClassSampler`: random classes with m photos each.

    Unlike `pk`, it samples every class equally often, and an epoch may not have every image.
    """
    length = length_before_new_iter or max(len(labels), batch_size)
    before = common_functions.NUMPY_RANDOM
    common_functions.NUMPY_RANDOM = rng  # instead of the global generator
    try:
        order = list(samplers.MPerClassSampler(labels, m, batch_size, length))
    except AssertionError as error:
        raise ValueError(
            f"training.sampler: MPerClassSampler with batches of {batch_size} and m = {m} for "
            f"{len(np.unique(labels))} classes: "
            f"{str(error) or f'length_before_new_iter = {length} is less than a batch'}"
        ) from None
    finally:
        common_functions.NUMPY_RANDOM = before
    for start in range(0, len(order), batch_size):
        yield np.array(order[start : start + batch_size])


SAMPLERS: dict[str, Callable[..., Batches]] = {
    "shuffle": shuffle,
    "pk": pk,
    "tuples": tuples,
    "MPerClassSampler": m_per_class,
}
