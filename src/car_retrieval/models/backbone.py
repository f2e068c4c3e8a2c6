"""Convolutional backbones by name, with weights from the ecosystem's cache, a file, or none."""

import os
from pathlib import Path
from urllib.error import URLError

import torch
import torchvision
from torch import nn

IMAGENET = "imagenet"
TIMM = "timm/"


def build_backbone(arch: str, weights: str | None) -> tuple[nn.Module, int]:
    """Build a convolutional network without its pooling and classifier.

    Args:
        arch: a torchvision ResNet, `resnet18` … `resnet152`, or `timm/<name>` with that extra.
        weights: `imagenet` (the library's default weights of that network), the path of a state
            dict of the whole network or of the backbone, or None for a random start.

    Returns:
        The network, images [b, 3, h, w] → features [b, channels, h', w']; and its channels.

    Raises:
        FileNotFoundError: the weights are not there; says what to put where.
        ValueError: there is no such network, or the file does not hold weights of it.
    """
    if arch.startswith(TIMM):
        from car_retrieval.models.timm_backbone import build_timm_backbone

        return build_timm_backbone(arch.removeprefix(TIMM), weights)
    net = torchvision.models.get_model(arch, weights=None)
    if weights is not None:
        file = _imagenet_file(arch) if weights == IMAGENET else Path(weights).expanduser()
        load_weights(net, file, arch, "fc")
    channels: int = net.fc.in_features
    return nn.Sequential(*list(net.children())[:-2]), channels


def load_weights(net: nn.Module, file: Path, arch: str, classifier: str) -> None:
    """Load a state dict into a network, all of it but the layer named `classifier`."""
    if not file.is_file():
        raise FileNotFoundError(f"training.weights: the file {file} does not exist")
    own = f"{classifier}."
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        state = {name: value for name, value in state.items() if not name.startswith(own)}
        missing, unexpected = net.load_state_dict(state, strict=False)
        fits = not unexpected and all(name.startswith(own) for name in missing)
    except Exception:  # whatever torch trips over in another file or another network's shapes
        fits = False
    if not fits:
        raise ValueError(f"training.weights: {file} does not hold the weights of {arch}")


def _imagenet_file(arch: str) -> Path:
    url: str = torchvision.models.get_model_weights(arch).DEFAULT.url
    file = Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(url)
    if not file.exists():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(file))
        except (URLError, OSError) as error:
            raise FileNotFoundError(
                f"training.weights: imagenet could not be downloaded ({error}). Put {url} at "
                f"{file}, or set training.weights to a file, or to null for a random start"
            ) from None
    return file
