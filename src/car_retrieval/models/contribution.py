"""Where in a photo its similarity with another comes from."""

import torch
from torch import Tensor

from car_retrieval.models.descriptor import DescriptorNet


def contributions(net: DescriptorNet, images: Tensor, others: Tensor) -> Tensor:
    """What each position of the feature map adds to the similarity with another photo.

    After Stylianou, Souvenir & Pless, "Visualizing deep similarity networks", WACV 2019, who take
    average pooling apart. Every pooling here is homogeneous of degree 1, so that by Euler's theorem
    pool(x) = Σ x · ∂pool/∂x over the positions: in GeM a position has the share xᵖ / Σ xᵖ of its
    channel. Projection and neck are affine. What they add whatever the photo shows belongs to no
    position and is spread evenly.

    Args:
        net: the network; it is set to evaluation.
        images: [b, 3, h, w], RGB in 0…255 of any dtype.
        others: float32 [b, dimension], the unit descriptors of the other photos.

    Returns:
        float32 [b, h', w'] whose sum over the positions is the inner product of the descriptors.

    Raises:
        ValueError: the network describes by its class token, which has no position.
    """
    net.eval()
    with torch.no_grad():
        features = net.features(images)
    if features.ndim != 4:
        raise ValueError(f"pooling {net.config.pooling} does not describe by positions")
    features = features.detach().requires_grad_()
    with torch.enable_grad():
        embedded = net.head(features)
    directions = others / embedded.detach().norm(dim=1, keepdim=True)
    (gradient,) = torch.autograd.grad(embedded, features, directions)
    parts = (features.detach() * gradient).sum(dim=1)
    constant = (embedded.detach() * directions).sum(dim=1) - parts.sum((1, 2))
    return parts + constant[:, None, None] / parts[0].numel()
