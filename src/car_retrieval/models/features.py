"""Features of a backbone: feature map and optional class token."""

from typing import NamedTuple

from torch import Tensor


class Features(NamedTuple):
    """Features of a batch.

    Attributes:
        map: [b, c, h', w'], one vector per position.
        token: [b, c], class token of a transformer; None for other networks.
    """

    map: Tensor
    token: Tensor | None = None


def from_tokens(tokens: Tensor, prefix: int, token: bool, grid: tuple[int, int]) -> Features:
    """Convert a transformer's tokens to features.

    Args:
        tokens: [b, prefix + h' · w', c], patches row by row after the prefix.
        prefix: number of class tokens and registers.
        token: whether the first of them is the class token.
        grid: h' and w'.
    """
    patches = tokens[:, prefix:].transpose(1, 2).reshape(tokens.shape[0], -1, *grid)
    return Features(patches, tokens[:, 0] if token else None)
