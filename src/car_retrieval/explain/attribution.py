"""Attribution of a similarity to positions of the feature map."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.models.encoder import Encoder, resized
from car_retrieval.models.whitening import Whitening


def attributions(net: DescriptorNet, images: Tensor, others: Tensor) -> Tensor:
    """Attribute the similarity with another photo to the positions of the feature map.

    After Stylianou, Souvenir & Pless, "Visualizing deep similarity networks", WACV 2019, who
    decompose average pooling. Every pooling here is homogeneous of degree 1, so that by Euler's
    theorem pool(x) = Σ x · ∂pool/∂x over the positions: in GeM a position has the share xᵖ / Σ xᵖ
    of its channel. Projection and neck are affine; their constant terms belong to no position and
    are spread evenly.

    Args:
        net: network; it is set to evaluation mode.
        images: [b, 3, h, w], RGB in 0…255 of any dtype.
        others: float32 [b, dimension], descriptors of the other photos, or any directions.

    Returns:
        float32 [b, h', w'] whose sum over the positions is the inner product with the descriptors.

    Raises:
        ValueError: the descriptor is a class token, which has no position.
    """
    net.eval()
    with torch.no_grad():
        features = net.features(images)
    if features.ndim != 4:
        raise ValueError(f"pooling {net.config.pooling} has no positions")
    features = features.detach().requires_grad_()
    with torch.enable_grad():
        embedded = net.head(features)
    directions = others / embedded.detach().norm(dim=1, keepdim=True)
    (gradient,) = torch.autograd.grad(embedded, features, directions)
    parts = (features.detach() * gradient).sum(dim=1)
    constant = (embedded.detach() * directions).sum(dim=1) - parts.sum((1, 2))
    return parts + constant[:, None, None] / parts[0].numel()


def per_view(
    encoder: Encoder, image: Tensor, other: Tensor, whitening: Whitening
) -> Iterator[tuple[float, bool, Tensor]]:
    """Attribute the similarity with another photo to the positions of each encoder view.

    Args:
        encoder: encoder, whose views are scales and mirror images; its network is set to evaluation
            mode.
        image: [3, h, w], RGB in 0…255 of any dtype.
        other: float32 [D], unit descriptor of the other photo.
        whitening: whitening of the descriptors.

    Yields:
        Scale, whether the view is mirrored, and attributions float32 [h', w']. Their sum over all
        views and positions is the inner product of the descriptors.
    """
    net = encoder.net.eval()
    with torch.inference_mode():
        own = encoder(image[None])[0]
    direction, constant = _unwhitened(whitening, own, other)
    count = len(encoder.scales)
    for scale, part in zip(encoder.scales, direction.view(count, -1), strict=True):
        plain = resized(image[None], scale)
        views = [plain, plain.flip(-1)] if encoder.flip else [plain]
        with torch.inference_mode():
            length = torch.cat([net(view) for view in views]).sum(dim=0).norm() * count**0.5
        for mirrored, view in enumerate(views):
            parts = attributions(net, view, (part / length)[None])[0]
            yield scale, bool(mirrored), parts + constant / (count * len(views) * parts.numel())


def whitened(descriptors: Tensor, whitening: Whitening) -> Tensor:
    """Whiten descriptors [n, D] differentiably."""
    if whitening.projection is None:
        return descriptors
    mean, components = _projection(whitening, descriptors)
    return F.normalize((descriptors - mean) @ components.T)


def _unwhitened(whitening: Whitening, own: Tensor, other: Tensor) -> tuple[Tensor, Tensor | float]:
    """Return a direction and a constant that give `own` the similarity of its whitened vector."""
    if whitening.projection is None:
        return other, 0.0
    mean, components = _projection(whitening, own)
    direction = other @ components / (components @ (own - mean)).norm()
    return direction, -(direction @ mean)


def _projection(whitening: Whitening, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean [D] and components [p, D] on the device of the descriptors."""
    assert whitening.projection is not None
    mean, components = whitening.projection.mean, whitening.projection.components
    return torch.from_numpy(mean).to(like.device), torch.from_numpy(components).to(like.device)
