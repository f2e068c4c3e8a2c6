"""Neck: the layer between projection and descriptor."""

from torch import nn


class BNNeck(nn.BatchNorm1d):
    """Batch normalisation without a bias.

    Luo et al., "Bag of tricks and a strong baseline for deep person re-identification", CVPRW
    2019, put it between the vector that a triplet loss learns and the one that a classifier
    learns, which is also the one that is searched. Here one loss learns, whichever it is, and it
    learns what is searched: the vector after the neck.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        self.bias.requires_grad_(False)
