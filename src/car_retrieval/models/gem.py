"""Generalised-mean pooling."""

import torch
from torch import Tensor, nn


class GeM(nn.Module):
    """GeM pooling: g = (mean over positions of max(x, ε)^p)^(1/p), with one learnable p ≥ 1.

    Radenović, Tolias & Chum, "Fine-tuning CNN image retrieval with no human annotation",
    TPAMI 2019, eq. 3. p = 1 is average pooling, p → ∞ is max pooling.
    """

    def __init__(self, p: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor(p))
        self.eps = eps

    def forward(self, features: Tensor) -> Tensor:
        """Pool features [b, c, h, w] to [b, c]."""
        p = self.p.clamp(min=1.0)
        return features.clamp(min=self.eps).pow(p).mean((-2, -1)).pow(1 / p)

    def extra_repr(self) -> str:
        """Show the learnt p."""
        return f"p={self.p.item():.3f}"
