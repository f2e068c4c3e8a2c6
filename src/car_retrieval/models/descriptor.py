"""Descriptor network: backbone, pooling, projection, neck, L2 normalisation."""

import hashlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from car_retrieval.data.known_photos import KnownPhotos
from car_retrieval.models.backbone import build_backbone
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.features import Features
from car_retrieval.models.neck import BNNeck
from car_retrieval.models.pooling import CLASS_TOKEN, POOLINGS
from car_retrieval.models.timm_backbone import TimmBackbone
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
        dimension: descriptor dimension; None: number of backbone channels.
        image_size: side of the training images in pixels.
        normalisation: source of the pixel mean and deviation: `weights`, the pretraining;
            `imagenet`, ImageNet; `image`, each image, which makes dark surveillance photos similar
            to bright ones.
        pooling: pooling of the feature map; or `cls`, a transformer's class token.
        neck: layer after the projection; `bnneck`: batch normalisation.
        mean: mean of red, green and blue in 0…1 to subtract, unless `normalisation` is `image`.
        std: deviation to divide by.
        projection: whether a learnt projection follows the pooling. Without it the pooled features
            are the descriptor: `dimension` is None, and `neck` none.
        stage: whether the map of the last stage, before the network's last convolution, is pooled
            next to the last map.
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
    stage: bool = False


def mean_and_std(arch: str, normalisation: Normalisation) -> dict[str, list[float]]:
    """Return `mean` and `std` of a `DescriptorConfig`, of the network's weights or ImageNet."""
    if normalisation == "weights":
        pixels = pixels_of(arch)
        return {"mean": list(pixels.mean), "std": list(pixels.std)}
    return {"mean": list(IMAGENET_MEAN), "std": list(IMAGENET_STD)}


class DescriptorNet(nn.Module):
    """Network from images to unit vectors, whose inner product is the similarity.

    Args:
        config: configuration of the network.
        weights: weights of the backbone, see `build_backbone`.

    Attributes:
        provenance: parameters and report of the training; empty before it.
        photos: photos of the training; None before it, or if an older version trained it.

    Raises:
        ValueError: the network does not exist, does not support the image size, or has no class
            token for pooling `cls` or no convolution after its last stage for `stage`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: DescriptorConfig, weights: str | None = None) -> None:
        super().__init__()
        self.config = config
        self.provenance: dict[str, Any] = {}
        self.photos: KnownPhotos | None = None
        self.backbone, example = build_backbone(config.arch, weights, config.image_size)
        if config.pooling == CLASS_TOKEN and example.token is None:
            others = ", ".join(POOLINGS)
            raise ValueError(
                f"training.pooling: {config.arch} has no class token; choose from {others}"
            )
        if config.stage and not self.has_stage:
            raise ValueError(
                f"encoding.features: {config.arch}, pooled by {config.pooling}, has no convolution "
                "after its last stage, as EfficientNets of timm have; choose pooled"
            )
        self.pool = POOLINGS.get(config.pooling, nn.Identity)()
        if config.stage:
            with torch.no_grad():
                black = torch.zeros(1, 3, config.image_size, config.image_size)
                self.backbone.eval()
                example = self._with_stage(black)
                self.backbone.train()
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
        """Compute descriptors float32 [b, dimension] of images [b, 3, h, w], RGB in 0…255."""
        return F.normalize(self.embed(images))

    def embed(self, images: Tensor) -> Tensor:
        """Compute descriptors before L2 normalisation, for losses that need lengths."""
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Compute the input of the pooling: feature map [b, c, h', w'], or class token [b, c]."""
        pixels = self._normalised(images.float()).contiguous(memory_format=torch.channels_last)
        describe = self._with_stage if self.config.stage else self.backbone
        return self._pooled_from(describe(pixels))

    def head(self, features: Tensor) -> Tensor:
        """Compute descriptors before L2 normalisation from the result of `features`."""
        return self.neck(self.projection(self.pool(features)))

    @property
    def has_stage(self) -> bool:
        """Whether a convolution follows the last stage, so that `stage` pools another map too."""
        widens = isinstance(self.backbone, TimmBackbone) and self.backbone.widens
        return widens and self.config.pooling != CLASS_TOKEN

    def without_head(self, stage: bool) -> "DescriptorNet":
        """Return a network with the same backbone and pooling, but no projection and no neck.

        Args:
            stage: whether it also pools the last stage; see `DescriptorConfig`.
        """
        config = replace(self.config, dimension=None, neck="none", projection=False, stage=stage)
        net = DescriptorNet(config).to(self.mean.device)
        net.backbone, net.pool, net.provenance = self.backbone, self.pool, self.provenance
        return net.train(self.training)

    def _with_stage(self, pixels: Tensor) -> Features:
        assert isinstance(self.backbone, TimmBackbone)  # checked when the network is built
        return self.backbone.with_stage(pixels)

    def _pooled_from(self, features: Features) -> Tensor:
        if self.config.pooling != CLASS_TOKEN:
            return features.map
        assert features.token is not None  # checked when the network is built
        return features.token

    def _normalised(self, pixels: Tensor) -> Tensor:
        if self.config.normalisation != "image":
            return (pixels - self.mean) / self.std
        mean = pixels.mean((1, 2, 3), keepdim=True)
        # The minimum of one level of 255 keeps uniform images finite.
        return (pixels - mean) / (pixels.std((1, 2, 3), keepdim=True) + 1)

    def fingerprint(self) -> str:
        """Hash the weights: 16 hex digits."""
        digest = hashlib.blake2b(digest_size=8)
        for name, value in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def signature(self) -> dict[str, Any]:
        """Return the configuration and a hash of the weights."""
        config = asdict(self.config)
        if not self.config.stage:
            del config["stage"]  # descriptors of earlier versions stay comparable
        return config | {"weights": self.fingerprint()}


def config_of(params: TrainingParams, image_size: int) -> DescriptorConfig:
    """Return the configuration for parameters; with 0 epochs, one without random layers."""
    learnt = params.epochs > 0
    return DescriptorConfig(
        arch=params.arch,
        dimension=params.dimension if learnt else None,
        image_size=image_size,
        normalisation=params.normalisation,
        pooling=params.pooling,
        neck=params.neck if learnt else "none",
        projection=learnt,
        stage=False,
        **mean_and_std(params.arch, params.normalisation),
    )


def restored(config: DescriptorConfig, state: dict[str, Tensor]) -> DescriptorNet:
    """Build a network with given weights, in evaluation mode."""
    net = DescriptorNet(config)
    net.load_state_dict(state)
    return net.eval()


def network_of(checkpoint: Checkpoint) -> DescriptorNet:
    """Build the network of a checkpoint, in evaluation mode."""
    net = restored(DescriptorConfig(**checkpoint["config"]), checkpoint["model"])
    net.provenance = checkpoint["provenance"] | {"report": checkpoint["report"]}
    if photos := checkpoint.get("photos"):
        net.photos = KnownPhotos(**{name: keys.numpy() for name, keys in photos.items()})
    return net


def pick_device(name: str) -> torch.device:
    """Return a device by name; `auto`: CUDA if available, else CPU.

    Raises:
        ValueError: the device is not available.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} is not available: {first}") from None
