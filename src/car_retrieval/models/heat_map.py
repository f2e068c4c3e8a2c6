"""Where in a photo its similarity with another comes from, at every pixel."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from car_retrieval.models.contribution import look_by_look
from car_retrieval.models.encoder import Encoder, resized
from car_retrieval.search.whitening import Whitening

FINE = 7  # positions a side from which a feature map tells places apart
SPOTS = 8  # a side, blurred one after the other where it does not
TOGETHER = 2  # rows of spots that are looked at in a batch
UNWHITENED = Whitening()


def heat_map(
    encoder: Encoder, image: Tensor, other: Tensor, whitening: Whitening = UNWHITENED
) -> Tensor:
    """What each place of a photo does for its similarity with another.

    A feature map of at least 7 × 7 positions says it by their `contributions`, added up over all
    the encoder's looks at the photo. A position of a coarser map has seen nearly all of the photo,
    and a class token has no place: then the photo is blurred spot by spot, and a spot is worth the
    similarity that is lost with it, after Zeiler & Fergus, "Visualizing and understanding
    convolutional networks", ECCV 2014.

    Args:
        encoder: how photos were described; its network is set to evaluation.
        image: [3, R, R], RGB in 0…255 of any dtype.
        other: float32 [D], the unit descriptor of the other photo.
        whitening: of the descriptors.

    Returns:
        float32 [R, R]; below 0 where the photo speaks against the other. Where positions say it,
        the mean is the similarity, but for the interpolation.
    """
    net = encoder.net.eval()
    with torch.inference_mode():
        shape = net.features(resized(image[None], max(encoder.scales))).shape
    if len(shape) == 4 and min(shape[2:]) >= FINE:
        return _by_position(encoder, image, other, whitening)
    return _by_spot(encoder, image, other, whitening)


def _by_position(encoder: Encoder, image: Tensor, other: Tensor, whitening: Whitening) -> Tensor:
    """The contributions, each look's between the centres of its positions in proportion."""
    size = image.shape[-1]
    heat = torch.zeros(size, size, device=image.device)
    for scale, mirrored, parts in look_by_look(encoder, image, other, whitening):
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


@torch.inference_mode()
def _by_spot(encoder: Encoder, image: Tensor, other: Tensor, whitening: Whitening) -> Tensor:
    """The similarity lost by blurring a round spot, for a grid of spots."""

    def similarity(photos: Tensor) -> Tensor:
        described = whitening(encoder(photos).cpu().numpy())
        return torch.from_numpy(described).to(other.device) @ other

    pixels = image[None].float()
    size = image.shape[-1]
    blurred = F.interpolate(F.adaptive_avg_pool2d(pixels, 4), size, mode="bilinear")
    centres = (torch.arange(SPOTS, device=image.device) + 0.5) * size / SPOTS - 0.5
    distance = torch.arange(size, device=image.device) - centres[:, None]
    across = (-0.5 * (distance * SPOTS / size) ** 2).exp()  # [spots, size]
    found = []
    for first in range(0, SPOTS, TOGETHER):
        down = across[first : first + TOGETHER]
        spots = (down[:, None, :, None] * across[:, None, :]).view(-1, 1, size, size)
        found.append(similarity(pixels + spots * (blurred - pixels)))
    lost = similarity(pixels) - torch.cat(found).view(SPOTS, SPOTS)
    return F.interpolate(lost[None, None], size, mode="bicubic")[0, 0]
