"""Neck: the layer between projection and descriptor."""

from torch import nn


class BNNeck(nn.BatchNorm1d):
    """Batch normalisation without a bias.

    Luo et al., "Bag of tricks and a strong baseline for deep person re-identification", CVPRW 2019,
    apply a triplet loss before the neck and a classification loss after it, where the descriptor
    is. Here a single loss of any kind is applied to the descriptor, after the neck.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        self.bias.requires_grad_(False)
