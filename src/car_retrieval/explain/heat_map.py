"""Heat map: attribution of a similarity to the pixels of a photo."""

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from car_retrieval.explain.attribution import per_view, whitened
from car_retrieval.models.encoder import Encoder, resized
from car_retrieval.models.whitening import Whitening

FINE = 7  # minimum positions per side of a feature map for attribution by position
STEPS, TOGETHER = 8, 4  # steps from the blurred to the sharp photo, and steps per batch
BLURRED = 4  # colours per side of the blurred photo
SMOOTHED = 1 / 14  # standard deviation of the smoothing, as a share of the side
UNWHITENED = Whitening()


def heat_map(
    encoder: Encoder, image: Tensor, other: Tensor, whitening: Whitening = UNWHITENED
) -> Tensor:
    """Attribute the similarity with another photo to the pixels of a photo.

    For feature maps of at least 7 × 7 positions, the heat map is the sum of their `attributions`
    over all views of the encoder. A position of a coarser map has nearly the whole photo as
    receptive field, and a class token has no position: there it is the smoothed integrated
    gradients of the similarity, from the blurred to the original photo (Sundararajan, Taly & Yan,
    "Axiomatic attribution for deep networks", ICML 2017, eq. 1).

    Args:
        encoder: encoder of the descriptors; its network is set to evaluation mode.
        image: [3, R, R], RGB in 0…255 of any dtype.
        other: float32 [D], unit descriptor of the other photo.
        whitening: whitening of the descriptors.

    Returns:
        float32 [R, R]; negative where a pixel lowers the similarity. By position, the mean is the
        similarity, up to interpolation; otherwise, its loss by blurring, up to step size and
        smoothing.
    """
    net = encoder.net.eval()
    with torch.inference_mode():
        shape = net.features(resized(image[None], max(encoder.scales))).shape
    if len(shape) == 4 and min(shape[2:]) >= FINE:
        return _by_position(encoder, image, other, whitening)
    return _by_path(encoder, image, other, whitening)


def _by_position(encoder: Encoder, image: Tensor, other: Tensor, whitening: Whitening) -> Tensor:
    """Interpolate the attributions of each view between the centres of its positions."""
    size = image.shape[-1]
    heat = torch.zeros(size, size, device=image.device)
    for scale, mirrored, parts in per_view(encoder, image, other, whitening):
        positions = parts.shape[-1]
        step = resized(image[None], scale).shape[-1] / positions
        pixels = (torch.arange(size, device=parts.device) + 0.5) * scale - 0.5
        place = (pixels - first_centre(encoder.net.backbone, step)) / step
        place = 2 * place / (positions - 1) - 1  # the centres are between -1 and 1
        grid = torch.stack(torch.meshgrid(place, place, indexing="xy"), dim=-1)
        density = parts[None, None] * parts.numel()
        view = F.grid_sample(density, grid[None], padding_mode="border", align_corners=True)[0, 0]
        heat += view.flip(-1) if mirrored else view
    return heat


def first_centre(backbone: nn.Module, step: float) -> float:
    """Return the pixel on which the first position of a feature map is centred.

    Args:
        backbone: network of the feature map.
        step: pixels from one position to the next.

    Returns:
        0 for padded convolutions, as in ResNet, whose first position is centred on the border; the
        centre of the first patch for networks that split the image into patches.
    """
    strided = (m for m in backbone.modules() if isinstance(m, nn.Conv2d) and m.stride[0] > 1)
    padded = any(layer.padding != (0, 0) for layer in strided if layer.kernel_size[0] > 1)
    return 0.0 if padded else (step - 1) / 2


def _by_path(encoder: Encoder, image: Tensor, other: Tensor, whitening: Whitening) -> Tensor:
    """Integrate the gradients per pixel on the path from the blurred photo."""
    photo, size = image[None].float(), image.shape[-1]
    blurred = F.interpolate(F.adaptive_avg_pool2d(photo, BLURRED), size, mode="bilinear")
    gradient = torch.zeros_like(photo)
    places = (torch.arange(STEPS, device=photo.device) + 0.5) / STEPS
    for some in torch.split(places, TOGETHER):
        on_the_way = torch.lerp(blurred, photo, some[:, None, None, None]).requires_grad_()
        with torch.enable_grad():
            similarity = (whitened(encoder(on_the_way), whitening) @ other).sum()
        gradient += torch.autograd.grad(similarity, on_the_way)[0].sum(dim=0) / STEPS
    won = ((photo - blurred) * gradient).sum(dim=1) * size**2
    deviation = size * SMOOTHED
    return gaussian_blur(won, 2 * math.ceil(3 * deviation) + 1, deviation)[0]
