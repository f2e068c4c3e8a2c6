"""Backbones by name."""

from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from car_retrieval.models.features import Features
from car_retrieval.models.timm_backbone import timm_backbone
from car_retrieval.models.vision_transformer import TokenMap, fitted
from car_retrieval.models.weights import IMAGENET, TIMM, imagenet_file, load_weights


class Convolutional(nn.Sequential):
    """Layers of a network up to its last feature map."""

    def forward(self, images: Tensor) -> Features:
        """Compute features of images [b, 3, h, w]."""
        for layer in self:
            images = layer(images)
        return Features(images)


def build_backbone(arch: str, weights: str | None, image_size: int) -> tuple[nn.Module, Features]:
    """Build a network without pooling and classifier.

    Args:
        arch: network of torchvision, see `car_retrieval.params.NETWORKS`, or `timm/<name>`.
        weights: `imagenet` (the library's default weights, from a cache, an installed package, or
            downloaded), the path of a state dict of the whole network or the backbone, or None for
            random initialisation.
        image_size: side of the images in pixels; determines a transformer's position embeddings.

    Returns:
        Network from images [b, 3, h, w] to `Features`; and its features of one black image.

    Raises:
        FileNotFoundError: the weights are missing; the message has the file to provide.
        ValueError: the network does not exist, does not support the image size, or the file does
            not contain its weights.
    """
    try:
        if arch.startswith(TIMM):
            net = timm_backbone(arch.removeprefix(TIMM), weights, image_size)
        else:
            net = _torchvision_backbone(arch, weights, image_size)
        with torch.no_grad():
            features = net.eval()(torch.zeros(1, 3, image_size, image_size))
    except (
        AssertionError,
        RuntimeError,
    ) as error:  # raised by the libraries for an unsupported size
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"training.arch: {arch} does not support data_processing.image_size = {image_size} "
            f"({reason})"
        ) from None
    return net.train(), features


def _torchvision_backbone(arch: str, weights: str | None, image_size: int) -> nn.Module:
    transformer = arch.startswith("vit_")
    size = {"image_size": image_size} if transformer else {}
    net: Any = torchvision.models.get_model(arch, weights=None, **size)
    *_, (classifier, _) = net.named_children()
    if weights is not None:
        file = imagenet_file(arch) if weights == IMAGENET else Path(weights).expanduser()
        load_weights(net, file, arch, (classifier,), partial(fitted, net) if transformer else dict)
    if transformer:
        delattr(net, classifier)
        return TokenMap(net)
    layers = takewhile(lambda child: child[0] != "avgpool", net.named_children())
    return Convolutional(*(layer for _, layer in layers))
