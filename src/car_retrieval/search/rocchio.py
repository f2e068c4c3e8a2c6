"""Relevance feedback: one query from photos like and unlike what is sought."""

import numpy as np
from numpy.typing import NDArray

ALPHA, BETA, GAMMA = 0.0, 1.0, 0.25


class NothingLeftError(ValueError):
    """Error for descriptors that cancel each other out; the message is one line."""


def rocchio(
    photos: NDArray[np.float32],
    unlike: NDArray[np.float32],
    gamma: float = GAMMA,
    alpha: float = ALPHA,
    beta: float = BETA,
) -> NDArray[np.float32]:
    """Combine descriptors by alpha · first + beta · mean(photos) − gamma · mean(unlike).

    Rocchio, "Relevance Feedback in Information Retrieval" (1971). By default the first photo, his
    original query, counts no more than the others: without `unlike`, the query is their mean.

    With the default gamma, a class to avoid almost leaves the matches while the wanted one stays:
    see docs/search_by_photo.md. Rocchio's followers chose alpha 1, beta 0.75 and gamma 0.15.

    Example: the photos [1, 0] and [0, 1] give [0.71, 0.71]; unlike [0, 1] with gamma 0.5, they give
    [0.5, 0.5] − [0, 0.5], which is [1, 0] at unit length.

    Args:
        photos: descriptors of example photos, float32 [n, D] of unit length, n ≥ 1.
        unlike: descriptors of photos that matches should not resemble, float32 [m, D].
        gamma: weight of the mean of `unlike`.
        alpha: weight of the first photo, besides its part in the mean.
        beta: weight of the mean of the photos.

    Returns:
        The query, float32 [D] of unit length; of a single photo alone, its descriptor.

    Raises:
        NothingLeftError: the photos cancel each other out.
    """
    if len(photos) == 1 and not len(unlike):
        return photos[0]
    query = alpha * photos[0] + beta * photos.mean(0)
    if len(unlike):
        query = query - gamma * unlike.mean(0)
    length = float(np.linalg.norm(query))
    if length < 1e-3:
        raise NothingLeftError(
            "nothing is left to search for: the photos are too similar to those that the matches "
            "should not look like; choose others, or a lower weight (gamma)"
        )
    return (query / length).astype(np.float32)
