"""Convolutional backbones of timm, which is an extra."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from car_retrieval.models.backbone import IMAGENET, TIMM, load_weights


class FeatureMap(nn.Module):
    """The last feature map of a timm network."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net: Any = net

    def forward(self, images: Tensor) -> Tensor:
        """Features [b, channels, h', w'] of images [b, 3, h, w]."""
        features = self.net.forward_features(images)
        if features.ndim != 4 or features.shape[1] != self.net.num_features:
            raise ValueError(
                "training.arch: this network makes no map of channels, which GeM pools; choose a "
                "convolutional one"
            )
        return features


def build_timm_backbone(name: str, weights: str | None) -> tuple[nn.Module, int]:
    """Build a timm network by name; see `build_backbone`."""
    try:
        import timm
    except ImportError:
        message = "training.arch: networks of timm need that extra: pip install -e '.[timm]'"
        raise ValueError(message) from None
    if not timm.is_model(name):
        raise ValueError(f"training.arch: timm has no network {name!r}, see timm.list_models()")
    try:
        net: Any = timm.create_model(name, pretrained=weights == IMAGENET, num_classes=0)
    except Exception as error:
        if weights != IMAGENET:
            raise
        raise FileNotFoundError(
            f"training.weights: imagenet of {TIMM}{name} is neither in the Hugging Face cache nor "
            f"to be downloaded ({error}). Set training.weights to a file, or to null"
        ) from None
    if weights is not None and weights != IMAGENET:
        classifier = net.default_cfg["classifier"]
        load_weights(net, Path(weights).expanduser(), f"{TIMM}{name}", classifier)
    channels: int = net.num_features
    return FeatureMap(net), channels
