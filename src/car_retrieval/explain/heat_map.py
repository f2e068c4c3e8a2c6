"""Attribution of a similarity to each pixel of a photo."""

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from car_retrieval.explain.attribution import per_view, whitened
from car_retrieval.models.encoder import Encoder, resized
from car_retrieval.models.whitening import Whitening

FINE = 7  # positions a side from which a feature map tells places apart
STEPS, TOGETHER = 8, 4  # from the blurred photo to the sharp one, and how many in a batch
BLURRED = 4  # colours a side that are left of a blurred photo
SMOOTHED = 1 / 14  # of the side: the deviation that makes places of single pixels
UNWHITENED = Whitening()


def heat_map(
    encoder: Encoder, image: Tensor, other: Tensor, whitening: Whitening = UNWHITENED
) -> Tensor:
    """Attribution of the similarity with another photo to each place of a photo.

    A feature map of at least 7 × 7 positions says it by their `attributions`, added up over all
    the encoder's looks at the photo. A position of a coarser map has seen nearly all of the photo,
    and a class token has no place: then it is the gradients of the similarity, integrated from the
    photo blurred to the photo as it is (Sundararajan, Taly & Yan, "Axiomatic attribution for deep
    networks", ICML 2017, eq. 1) and smoothed.

    Args:
        encoder: how photos were described; its network is set to evaluation.
        image: [3, R, R], RGB in 0…255 of any dtype.
        other: float32 [D], the unit descriptor of the other photo.
        whitening: of the descriptors.

    Returns:
        float32 [R, R]; below 0 where the photo speaks against the other. Where positions say it,
        the mean is the similarity, but for the interpolation; else what of it is lost by blurring,
        but for steps and smoothing.
    """
    net = encoder.net.eval()
    with torch.inference_mode():
        shape = net.features(resized(image[None], max(encoder.scales))).shape
    if len(shape) == 4 and min(shape[2:]) >= FINE:
        return _by_position(encoder, image, other, whitening)
    return _by_path(encoder, image, other, whitening)


def _by_position(encoder: Encoder, image: Tensor, other: Tensor, whitening: Whitening) -> Tensor:
    """The attributions, each look's between the centres of its positions in proportion."""
    size = image.shape[-1]
    heat = torch.zeros(size, size, device=image.device)
    for scale, mirrored, parts in per_view(encoder, image, other, whitening):
        positions = parts.shape[-1]
        step = resized(image[None], scale).shape[-1] / positions
        pixels = (torch.arange(size, device=parts.device) + 0.5) * scale - 0.5
        place = (pixels - first_centre(encoder.net.backbone, step)) / step
        place = 2 * place / (positions - 1) - 1  # the centres lie between -1 and 1
        grid = torch.stack(torch.meshgrid(place, place, indexing="xy"), dim=-1)
        density = parts[None, None] * parts.numel()
        look = F.grid_sample(density, grid[None], padding_mode="border", align_corners=True)[0, 0]
        heat += look.flip(-1) if mirrored else look
    return heat


def first_centre(backbone: nn.Module, step: float) -> float:
    """The pixel on which the first position of a feature map is centred.

    Args:
        backbone: the network that makes the map.
        step: pixels from one position to the next.

    Returns:
        0 where convolutions pad, as in ResNet, so that the first position looks at the border; the
        middle of the first patch where the image is cut into patches.
    """
    strided = (m for m in backbone.modules() if isinstance(m, nn.Conv2d) and m.stride[0] > 1)
    padded = any(layer.padding != (0, 0) for layer in strided if layer.kernel_size[0] > 1)
    return 0.0 if padded else (step - 1) / 2


def _by_path(encoder: Encoder, image: Tensor, other: Tensor, whitening: Whitening) -> Tensor:
    """What each pixel wins by becoming sharp: gradients on the way from the blurred photo."""
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
