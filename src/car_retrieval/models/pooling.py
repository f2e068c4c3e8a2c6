"""Pooling of a feature map into one vector, by name."""

import torch
from torch import Tensor, nn

from car_retrieval.models.gem import GeM


class Average(nn.Module):
    """Mean over positions, SPoC (Babenko & Lempitsky, ICCV 2015)."""

    def forward(self, features: Tensor) -> Tensor:
        """Pool features [b, c, h, w] to [b, c]."""
        return features.mean((-2, -1))


class Maximum(nn.Module):
    """Maximum over positions, MAC (Tolias, Sicre & Jégou, ICLR 2016)."""

    def forward(self, features: Tensor) -> Tensor:
        """Pool features [b, c, h, w] to [b, c]."""
        return features.amax((-2, -1))


class GeMMaximum(nn.Module):
    """Concatenation of GeM and maximum.

    After Jun et al., "Combination of multiple global descriptors for image retrieval", 2019, but
    with a common projection instead of one each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gem, self.maximum = GeM(), Maximum()

    def forward(self, features: Tensor) -> Tensor:
        """Pool features [b, c, h, w] to [b, 2c]."""
        return torch.cat([self.gem(features), self.maximum(features)], dim=1)


POOLINGS: dict[str, type[nn.Module]] = {
    "gem": GeM,
    "average": Average,
    "max": Maximum,
    "gem_max": GeMMaximum,
}
CLASS_TOKEN = "cls"
"""Pooling name of a transformer's class token, used instead of pooling."""
