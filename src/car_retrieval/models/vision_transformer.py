"""torchvision's vision transformers, for images of any size that their patches divide."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from car_retrieval.models.features import Features, from_tokens

POSITIONS = "encoder.pos_embedding"


class TokenMap(nn.Module):
    """The patch tokens as a map, and the class token.

    The embedding of positions is stretched to the grid of patches at hand, so that photos can be
    described at several scales.
    """

    def __init__(self, net: VisionTransformer) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Features:
        """Features of images [b, 3, h, w].

        Raises:
            ValueError: h or w is no multiple of the patches' side.
        """
        check_size(images, self.net.patch_size)
        patches = self.net.conv_proj(images)
        height, width = patches.shape[-2:]
        token = self.net.class_token.expand(images.shape[0], -1, -1)
        tokens = torch.cat([token, patches.flatten(2).transpose(1, 2)], dim=1)
        encoder = self.net.encoder
        tokens = tokens + stretched(encoder.pos_embedding, height, width)
        tokens = encoder.ln(encoder.layers(encoder.dropout(tokens)))
        return from_tokens(tokens, 1, True, (height, width))


def check_size(images: Tensor, patch: int) -> None:
    """Refuse images whose sides are no multiples of `patch`."""
    height, width = images.shape[-2:]
    if height % patch or width % patch:
        raise ValueError(
            f"images of {height} x {width} px do not divide into patches of {patch} px: choose an "
            f"image_size, and scales of it, that are multiples of {patch}"
        )


def stretched(positions: Tensor, height: int, width: int) -> Tensor:
    """Positions [1, 1 + n, c] of a square grid, the class token's first, for another grid."""
    side = round((positions.shape[1] - 1) ** 0.5)
    if (side, side) == (height, width):
        return positions
    grid = positions[:, 1:].transpose(1, 2).reshape(1, -1, side, side)
    grid = F.interpolate(grid, (height, width), mode="bicubic", antialias=True)
    return torch.cat([positions[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)


def fitted(net: VisionTransformer, state: Mapping[str, Any]) -> dict[str, Any]:
    """Weights of a network for images of another size, with positions for this one's."""
    side = net.image_size // net.patch_size
    return {**state, POSITIONS: stretched(state[POSITIONS], side, side)}
