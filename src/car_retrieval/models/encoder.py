"""Encoder: descriptors of photos from several views, block by block."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from tqdm import tqdm

from car_retrieval.io.matrix import Matrix
from car_retrieval.io.prefetch import prefetch
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet, network_of
from car_retrieval.models.folding import folded
from car_retrieval.params.encoding import FeatureLayers


class Encoder(nn.Module):
    """Encoder of photos from several views.

    Args:
        net: network.
        scales: image scales; their descriptors are concatenated and L2-normalised.
        flip: add the descriptor of the mirror image at each scale and L2-normalise.
    """

    def __init__(
        self, net: DescriptorNet, scales: Sequence[float] = (1.0,), flip: bool = False
    ) -> None:
        super().__init__()
        self.net, self.scales, self.flip = net, list(scales), flip

    def forward(self, images: Tensor) -> Tensor:
        """Compute unit vectors [b, dimension · number of scales] of images [b, 3, h, w]."""
        parts = [self._describe(resized(images, scale)) for scale in self.scales]
        return parts[0] if len(parts) == 1 else F.normalize(torch.cat(parts, dim=1))

    def signature(self) -> dict[str, Any]:
        """Return the properties that comparable descriptors share."""
        return self.net.signature() | {"scales": self.scales, "flip": self.flip}

    def _describe(self, images: Tensor) -> Tensor:
        plain: Tensor = self.net(images)
        return F.normalize(plain + self.net(images.flip(-1))) if self.flip else plain


def network_at(
    checkpoint: int | Literal["best"], model: DescriptorNet, checkpoints: Mapping[int, Checkpoint]
) -> DescriptorNet:
    """Return the best network, or that of an epoch.

    Raises:
        ValueError: the epoch has no checkpoint.
    """
    if checkpoint == "best":
        return model
    if checkpoint not in checkpoints:
        found = ", ".join(map(str, checkpoints))
        raise ValueError(
            f"encoding.checkpoint = {checkpoint}: only epochs {found} have checkpoints"
        )
    return network_of(checkpoints[checkpoint])


def network_of_descriptors(
    descriptors: Matrix, model: DescriptorNet, checkpoints: Mapping[int, Checkpoint]
) -> DescriptorNet:
    """Return the network of given descriptors."""
    net = network_at(descriptors.attributes.get("checkpoint", "best"), model, checkpoints)
    return with_features_of(net, descriptors.attributes.get("encoder") or {})


def with_features(net: DescriptorNet, features: FeatureLayers) -> DescriptorNet:
    """Return a network that describes photos by the head's output, or by what it pools.

    `stage` is `pooled` if the network's last stage ends in its last map.
    """
    stage = features == "stage" and net.has_stage
    own = (not net.config.projection, net.config.stage)
    return net if features == "head" or own == (True, stage) else net.without_head(stage)


def with_features_of(net: DescriptorNet, signature: Mapping[str, Any]) -> DescriptorNet:
    """Return a network with the features that an encoder of this signature describes photos by."""
    if signature.get("projection", True):
        return net
    return with_features(net, "stage" if signature.get("stage") else "pooled")


def encoder_of(
    descriptors: Matrix, model: DescriptorNet, checkpoints: Mapping[int, Checkpoint]
) -> Encoder:
    """Build the encoder of given descriptors from their attributes."""
    own = descriptors.attributes["encoder"]
    net = network_of_descriptors(descriptors, model, checkpoints)
    return Encoder(net, own["scales"], own["flip"])


def encode(
    net: DescriptorNet | Encoder,
    images: Matrix | np.ndarray,
    *,
    rows: np.ndarray | None = None,
    batch_size: int = 64,
    device: torch.device | None = None,
    title: str = "encoding",
) -> Iterator[np.ndarray]:
    """Compute the descriptors of images in order.

    Args:
        net: network or encoder; it is moved to the device and set to evaluation mode.
        images: uint8 [n, 3, R, R].
        rows: rows of `images`, in order; None: all.
        batch_size: images per batch.
        device: device to use; None: that of the network.
        title: title of the progress bar.

    Yields:
        float32 [at most batch_size, dimension], rows of unit length.
    """
    device = device or next(net.parameters()).device
    net = net.to(device).eval()
    rows = np.arange(len(images)) if rows is None else rows
    with tqdm(total=len(rows), desc=title, unit="image", disable=None, leave=False) as bar:
        starts = range(0, max(1, len(rows)), batch_size)
        batches = (rows[start : start + batch_size] for start in starts)
        fast: nn.Module | None = None
        for pixels in prefetch(images.__getitem__, batches):
            batch = torch.from_numpy(pixels).to(device)
            fast = fast or (folded(net, batch[:1]) if len(batch) else net)
            with torch.inference_mode():
                yield fast(batch).cpu().numpy()
            bar.update(len(pixels))


def resized(images: Tensor, scale: float) -> Tensor:
    """Resize images [b, 3, h, w] in 0…255 by a factor, antialiased, to at least 1 px a side.

    Raises:
        ValueError: the factor is not positive.
    """
    if scale == 1:
        return images
    if not scale > 0:
        raise ValueError(f"images cannot be resized by {scale}: the factor must be above 0")
    size = [max(1, round(side * scale)) for side in images.shape[-2:]]
    return F.interpolate(images.float(), size, mode="bilinear", antialias=scale < 1)
