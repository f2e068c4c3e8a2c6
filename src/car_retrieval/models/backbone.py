"""Backbones by name, with weights from the ecosystem's cache, a file, or none."""

import os
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
import torchvision
from torch import Tensor, nn

from car_retrieval.models.features import Features
from car_retrieval.models.vision_transformer import TokenMap, fitted

IMAGENET = "imagenet"
TIMM = "timm/"

State = dict[str, Any]


class Convolutional(nn.Sequential):
    """The layers of a network up to its last feature map."""

    def forward(self, images: Tensor) -> Features:
        """Features of images [b, 3, h, w]."""
        for layer in self:
            images = layer(images)
        return Features(images)


def build_backbone(arch: str, weights: str | None, image_size: int) -> tuple[nn.Module, Features]:
    """Build a network without its pooling and classifier.

    Args:
        arch: a network of torchvision, see `car_retrieval.params.NETWORKS`, or `timm/<name>` with
            that extra.
        weights: `imagenet` (the library's default weights of that network), the path of a state
            dict of the whole network or of the backbone, or None for a random start.
        image_size: side of the images in pixels; a transformer embeds positions for it.

    Returns:
        The network, images [b, 3, h, w] to `Features`; and its features of one black image.

    Raises:
        FileNotFoundError: the weights are not there; says what to put where.
        ValueError: there is no such network, it cannot take images of that size, or the file does
            not hold weights of it.
    """
    try:
        if arch.startswith(TIMM):
            from car_retrieval.models.timm_backbone import timm_backbone

            net = timm_backbone(arch.removeprefix(TIMM), weights, image_size)
        else:
            net = _torchvision_backbone(arch, weights, image_size)
        with torch.no_grad():
            features = net.eval()(torch.zeros(1, 3, image_size, image_size))
    except (AssertionError, RuntimeError) as error:  # how either library refuses a size
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"training.arch: {arch} does not take data_processing.image_size = {image_size} "
            f"({reason})"
        ) from None
    return net.train(), features


def _torchvision_backbone(arch: str, weights: str | None, image_size: int) -> nn.Module:
    transformer = arch.startswith("vit_")
    size = {"image_size": image_size} if transformer else {}
    net: Any = torchvision.models.get_model(arch, weights=None, **size)
    *_, (classifier, _) = net.named_children()
    if weights is not None:
        file = _imagenet_file(arch) if weights == IMAGENET else Path(weights).expanduser()
        load_weights(net, file, arch, (classifier,), partial(fitted, net) if transformer else dict)
    if transformer:
        delattr(net, classifier)
        return TokenMap(net)
    layers = takewhile(lambda child: child[0] != "avgpool", net.named_children())
    return Convolutional(*(layer for _, layer in layers))


def load_weights(
    net: nn.Module,
    file: Path,
    arch: str,
    classifiers: tuple[str, ...],
    adapt: Callable[[State], State] = dict,
) -> None:
    """Load a state dict into a network, all of it but its classifier.

    Args:
        net: the network.
        file: of torch, or `.safetensors`.
        arch: its name, for the message.
        classifiers: names of the layers that are left as they are.
        adapt: makes the state fit the network's size of images.
    """
    if not file.is_file():
        raise FileNotFoundError(f"training.weights: the file {file} does not exist")
    own = tuple(f"{classifier}." for classifier in classifiers)
    try:
        state = {name: value for name, value in _read(file).items() if not name.startswith(own)}
        missing, unexpected = net.load_state_dict(adapt(state), strict=False)
        fits = not unexpected and all(name.startswith(own) for name in missing)
    except Exception:  # whatever torch trips over in another file or another network's shapes
        fits = False
    if not fits:
        raise ValueError(f"training.weights: {file} does not hold the weights of {arch}")


def cached(name: str) -> Path:
    """Where torch keeps a file of weights."""
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def _read(file: Path) -> State:
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(file)
    state: State = torch.load(file, map_location="cpu", weights_only=True)
    return state


def _imagenet_file(arch: str) -> Path:
    url: str = torchvision.models.get_model_weights(arch).DEFAULT.url
    file = cached(os.path.basename(url))
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
