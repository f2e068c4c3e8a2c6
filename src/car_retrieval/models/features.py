"""Features of a backbone: a map, and a class token where there is one."""

from typing import NamedTuple

from torch import Tensor


class Features(NamedTuple):
    """Features of a batch.

    Attributes:
        map: [b, c, h', w'], a vector a position.
        token: [b, c], the class token of a transformer; None where there is none.
    """

    map: Tensor
    token: Tensor | None = None


def from_tokens(tokens: Tensor, prefix: int, token: bool, grid: tuple[int, int]) -> Features:
    """Features of a transformer's tokens.

    Args:
        tokens: [b, prefix + h' · w', c], the patches row by row after the prefix.
        prefix: class tokens and registers.
        token: the first of them is the class token.
        grid: h' and w'.
    """
    patches = tokens[:, prefix:].transpose(1, 2).reshape(tokens.shape[0], -1, *grid)
    return Features(patches, tokens[:, 0] if token else None)
