"""The descriptor network: backbone, pooling, projection, neck, unit length."""

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from car_retrieval.models.backbone import build_backbone
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.features import Features
from car_retrieval.models.neck import BNNeck
from car_retrieval.models.pooling import CLASS_TOKEN, POOLINGS
from car_retrieval.models.weights import pixels_of
from car_retrieval.params import TrainingParams

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Normalisation = Literal["weights", "imagenet", "image"]


@dataclass(frozen=True)
class DescriptorConfig:
    """Configuration of a network.

    Attributes:
        arch: name of the backbone.
        dimension: of the descriptor; None: as many as the backbone has channels.
        image_size: side in pixels of the images that it was trained on.
        normalisation: of the pixels: `weights`, by the mean and deviation that the network's
            weights were trained with; `imagenet`, by that collection's; or `image`, by each
            image's own, which makes dark surveillance photos look like bright ones.
        pooling: of the feature map; or `cls`, a transformer's class token.
        neck: what follows the projection; `bnneck`: batch normalisation.
        mean: of red, green and blue in 0…1, which is subtracted; not where `image` normalises.
        std: what the difference is divided by.
        projection: whether a learnt projection follows the pooling. Without one the pooled features
            are the descriptor: `dimension` is None, and `neck` none.
    """

    arch: str
    dimension: int | None
    image_size: int
    normalisation: Normalisation = "imagenet"
    pooling: Literal["gem", "average", "max", "cls", "gem_max"] = "gem"
    neck: Literal["none", "bnneck"] = "none"
    mean: list[float] = field(default_factory=lambda: list(IMAGENET_MEAN))
    std: list[float] = field(default_factory=lambda: list(IMAGENET_STD))
    projection: bool = True


def mean_and_std(arch: str, normalisation: Normalisation) -> dict[str, list[float]]:
    """`mean` and `std` of a `DescriptorConfig`, as the network's weights or ImageNet have them."""
    if normalisation == "weights":
        pixels = pixels_of(arch)
        return {"mean": list(pixels.mean), "std": list(pixels.std)}
    return {"mean": list(IMAGENET_MEAN), "std": list(IMAGENET_STD)}


class DescriptorNet(nn.Module):
    """Images to unit vectors whose inner product is their similarity.

    Args:
        config: what to build.
        weights: of the backbone, see `build_backbone`.

    Attributes:
        provenance: what it was trained with, and how that went; empty before.

    Raises:
        ValueError: there is no such network, it does not take images of that size, or has no
            class token to describe them by.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: DescriptorConfig, weights: str | None = None) -> None:
        super().__init__()
        self.config = config
        self.provenance: dict[str, Any] = {}
        self.backbone, example = build_backbone(config.arch, weights, config.image_size)
        if config.pooling == CLASS_TOKEN and example.token is None:
            others = ", ".join(POOLINGS)
            raise ValueError(
                f"training.pooling: {config.arch} has no class token; choose one of {others}"
            )
        self.pool = POOLINGS.get(config.pooling, nn.Identity)()
        with torch.no_grad():
            width = self.pool(self._pooled_from(example)).shape[1]
        self.projection: nn.Module = nn.Identity()
        self.dimension = width
        if config.projection:
            self.dimension = config.dimension or example.map.shape[1]
            self.projection = nn.Linear(width, self.dimension)
        self.neck = BNNeck(self.dimension) if config.neck == "bnneck" else nn.Identity()
        for name, values in (("mean", config.mean), ("std", config.std)):
            self.register_buffer(name, 255 * torch.tensor(values).view(3, 1, 1), persistent=False)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Describe images [b, 3, h, w], RGB in 0…255 of any dtype, as float32 [b, dimension]."""
        return F.normalize(self.embed(images))

    def embed(self, images: Tensor) -> Tensor:
        """The descriptors before they are brought to unit length, for losses that need lengths."""
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """What is pooled: the feature map [b, c, h', w'], or the class token [b, c]."""
        pixels = self._normalised(images.float())
        features = self.backbone(pixels.contiguous(memory_format=torch.channels_last))
        return self._pooled_from(features)

    def head(self, features: Tensor) -> Tensor:
        """The descriptors, of any length, of what `features` returns."""
        return self.neck(self.projection(self.pool(features)))

    def _pooled_from(self, features: Features) -> Tensor:
        if self.config.pooling != CLASS_TOKEN:
            return features.map
        assert features.token is not None  # or the network would not have been built
        return features.token

    def _normalised(self, pixels: Tensor) -> Tensor:
        if self.config.normalisation != "image":
            return (pixels - self.mean) / self.std
        mean = pixels.mean((1, 2, 3), keepdim=True)
        # One level of 255 keeps a plain image finite.
        return (pixels - mean) / (pixels.std((1, 2, 3), keepdim=True) + 1)

    def fingerprint(self) -> str:
        """A hash of the weights: 16 hex digits."""
        digest = hashlib.blake2b(digest_size=8)
        for name, value in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def signature(self) -> dict[str, Any]:
        """What the network is built from, and a hash of its weights."""
        return asdict(self.config) | {"weights": self.fingerprint()}


def config_of(params: TrainingParams, image_size: int) -> DescriptorConfig:
    """The network that these parameters ask for: without epochs, one of no random layers."""
    learnt = params.epochs > 0
    return DescriptorConfig(
        arch=params.arch,
        dimension=params.dimension if learnt else None,
        image_size=image_size,
        normalisation=params.normalisation,
        pooling=params.pooling,
        neck=params.neck if learnt else "none",
        projection=learnt,
        **mean_and_std(params.arch, params.normalisation),
    )


def restored(config: DescriptorConfig, state: dict[str, Tensor]) -> DescriptorNet:
    """A network with these weights, in evaluation mode."""
    net = DescriptorNet(config)
    net.load_state_dict(state)
    return net.eval()


def network_of(checkpoint: Checkpoint) -> DescriptorNet:
    """The network as it was after an epoch, in evaluation mode."""
    net = restored(DescriptorConfig(**checkpoint["config"]), checkpoint["model"])
    net.provenance = checkpoint["provenance"] | {"report": checkpoint["report"]}
    return net


def pick_device(name: str) -> torch.device:
    """The device by name; `auto` is CUDA when there is one.

    Raises:
        ValueError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} cannot be used here: {first}") from None
