"""Where in a photo its similarity with another comes from, at every pixel."""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from car_retrieval.models.contribution import contributions
from car_retrieval.models.descriptor import DescriptorNet

FINE = 7  # positions a side from which a feature map tells places apart
SPOTS = 12  # a side, blurred one after the other where it does not


def heat_map(net: DescriptorNet, image: Tensor, other: Tensor) -> Tensor:
    """What each place of a photo does for its similarity with another.

    A feature map of at least 7 × 7 positions says it by their `contributions`. A position of a
    coarser map has seen nearly all of the photo, and a class token has no place: then the photo is
    blurred spot by spot, and a spot is worth the similarity that is lost with it, after Zeiler &
    Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.

    Args:
        net: the network; it is set to evaluation.
        image: [3, R, R], RGB in 0…255 of any dtype.
        other: float32 [dimension], the unit descriptor of the other photo.

    Returns:
        float32 [R, R]; below 0 where the photo speaks against the other.
    """
    with torch.inference_mode():
        shape = net.eval().features(image[None]).shape
    if len(shape) == 4 and min(shape[2:]) >= FINE:
        return _by_position(net, image, other)
    return by_spot(net, image, other)


def _by_position(net: DescriptorNet, image: Tensor, other: Tensor) -> Tensor:
    """The contributions, between the centres of the positions in proportion."""
    parts = contributions(net, image[None], other[None])
    size, positions = image.shape[-1], parts.shape[-1]
    step = size / positions
    pixels = torch.arange(size, device=parts.device)
    place = (pixels - first_centre(net.backbone, step)) / step
    place = 2 * place / (positions - 1) - 1  # the centres lie between -1 and 1
    grid = torch.stack(torch.meshgrid(place, place, indexing="xy"), dim=-1)
    on_pixels = F.grid_sample(parts[None], grid[None], padding_mode="border", align_corners=True)
    return on_pixels[0, 0]


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


@torch.inference_mode()
def by_spot(describe: Callable[[Tensor], Tensor], image: Tensor, other: Tensor) -> Tensor:
    """The similarity lost by blurring a round spot, for a grid of spots.

    Args:
        describe: images [b, 3, R, R] to unit descriptors [b, dimension], in whatever way.
        image: [3, R, R], RGB in 0…255 of any dtype.
        other: float32 [dimension], the unit descriptor of the other photo.

    Returns:
        float32 [R, R].
    """
    pixels = image[None].float()
    size = image.shape[-1]
    blurred = F.interpolate(F.adaptive_avg_pool2d(pixels, 4), size, mode="bilinear")
    centres = (torch.arange(SPOTS, device=image.device) + 0.5) * size / SPOTS - 0.5
    distance = torch.arange(size, device=image.device) - centres[:, None]
    across = (-0.5 * (distance * SPOTS / size) ** 2).exp()  # [spots, size]
    rows = []
    for down in across:
        spots = (down[:, None] * across[:, None, :])[:, None]
        rows.append(describe(pixels + spots * (blurred - pixels)) @ other)
    lost = describe(pixels) @ other - torch.stack(rows)
    return F.interpolate(lost[None, None], size, mode="bicubic")[0, 0]
