"""Backbones of timm, which is an extra."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from car_retrieval.models.backbone import IMAGENET, TIMM, cached, load_weights
from car_retrieval.models.features import Features, from_tokens
from car_retrieval.models.vision_transformer import check_size


class TimmBackbone(nn.Module):
    """A timm network whose features, tokens too, become a map."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        from timm.layers import PatchEmbed

        self.net: Any = net
        patches = getattr(net, "patch_embed", None)
        self.patch: int = patches.patch_size[0] if isinstance(patches, PatchEmbed) else 1

    def forward(self, images: Tensor) -> Features:
        """Features of images [b, 3, h, w]."""
        check_size(images, self.patch)
        features = self.net.forward_features(images)
        if features.ndim == 3:
            return self._tokens(features, images.shape[-2] / images.shape[-1])
        if getattr(self.net, "output_fmt", "NCHW") == "NHWC":
            features = features.permute(0, 3, 1, 2)
        return Features(features)

    def _tokens(self, features: Tensor, aspect: float) -> Features:
        prefix = getattr(self.net, "num_prefix_tokens", 0)
        count = features.shape[1] - prefix
        height = round((count * aspect) ** 0.5)
        token = prefix > 0 and getattr(self.net, "cls_token", None) is not None
        return from_tokens(features, prefix, token, (height, count // height))


def timm_backbone(name: str, weights: str | None, image_size: int) -> nn.Module:
    """Build a timm network by name; see `build_backbone`."""
    try:
        import timm
    except ImportError:
        message = "training.arch: networks of timm need that extra: pip install -e '.[timm]'"
        raise ValueError(message) from None
    if not timm.is_model(name):
        raise ValueError(f"training.arch: timm has no network {name!r}, see timm.list_models()")
    config = timm.get_pretrained_cfg(name)
    stored = cached(f"{name}.safetensors")
    file = stored if weights == IMAGENET and stored.is_file() else weights
    try:
        net = _created(name, pretrained=file == IMAGENET)
    except Exception as error:
        if file != IMAGENET:
            raise
        raise FileNotFoundError(
            f"training.weights: imagenet of {TIMM}{name} could not be downloaded ({error}). Put "
            f"https://huggingface.co/{config.hf_hub_id}/resolve/main/model.safetensors at "
            f"{stored}, or set training.weights to a file, or to null for a random start"
        ) from None
    if file is not None and file != IMAGENET:
        own = config.classifier or ()
        classifiers = (own,) if isinstance(own, str) else tuple(own)
        load_weights(net, Path(file).expanduser(), f"{TIMM}{name}", classifiers)
    if hasattr(net, "set_input_size"):
        net.set_input_size(img_size=(image_size, image_size))
    return TimmBackbone(net)


def _created(name: str, pretrained: bool) -> Any:
    """Without its classifier; for images of several sizes, where the network can."""
    import timm

    try:
        return timm.create_model(name, pretrained, num_classes=0, dynamic_img_size=True)
    except TypeError:  # it has no such option
        return timm.create_model(name, pretrained, num_classes=0)
