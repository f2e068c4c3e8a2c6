"""Vision transformers of torchvision, for image sizes that are multiples of the patch size."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from car_retrieval.models.features import Features, from_tokens

POSITIONS = "encoder.pos_embedding"


class TokenMap(nn.Module):
    """Vision transformer that returns the patch tokens as a map, and the class token.

    Position embeddings are interpolated to the patch grid of the images, which allows several
    scales.
    """

    def __init__(self, net: VisionTransformer) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Features:
        """Compute features of images [b, 3, h, w].

        Raises:
            ValueError: h or w is not a multiple of the patch size.
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
    """Raise an error if the sides of images are not multiples of `patch`."""
    height, width = images.shape[-2:]
    if height % patch or width % patch:
        raise ValueError(
            f"images of {height} x {width} px cannot be split into patches of {patch} px: choose "
            f"image_size and scales that give multiples of {patch}"
        )


def stretched(positions: Tensor, height: int, width: int) -> Tensor:
    """Interpolate position embeddings [1, 1 + n, c] of a square grid, class token first."""
    side = round((positions.shape[1] - 1) ** 0.5)
    if (side, side) == (height, width):
        return positions
    grid = positions[:, 1:].transpose(1, 2).reshape(1, -1, side, side)
    grid = F.interpolate(grid, (height, width), mode="bicubic", antialias=True)
    return torch.cat([positions[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)


def fitted(net: VisionTransformer, state: Mapping[str, Any]) -> dict[str, Any]:
    """Adapt weights trained with another image size by interpolating position embeddings."""
    side = net.image_size // net.patch_size
    return {**state, POSITIONS: stretched(state[POSITIONS], side, side)}
