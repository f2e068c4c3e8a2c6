"""Eigenvalue allocation."""

import numpy as np


def allocate_eigenvalues(eigenvalues: np.ndarray, parts: int) -> np.ndarray:
    """Assign eigenvalues to parts of equal length with balanced products.

    Ge, He, Ke & Sun, Optimized product quantization, CVPR 2013, section 3.2.4: in descending order,
    each is assigned to the part with the smallest product that is not full.

    Args:
        eigenvalues: float [d], d divisible by `parts`; zeros count as the smallest positive one.
        parts: number of parts.

    Returns:
        int64 [d], positions of the eigenvalues, part by part.
    """
    room = len(eigenvalues) // parts
    least = np.min(eigenvalues, initial=np.inf, where=eigenvalues > 0)
    logs = np.log(np.maximum(eigenvalues, least) / least) if np.isfinite(least) else eigenvalues * 0
    members: list[list[int]] = [[] for _ in range(parts)]
    products = np.zeros(parts)
    for place in np.argsort(-eigenvalues, kind="stable"):
        free = [part for part in range(parts) if len(members[part]) < room]
        part = min(free, key=lambda part: products[part])
        members[part].append(int(place))
        products[part] += logs[place]
    return np.concatenate([np.asarray(part, np.int64) for part in members])
