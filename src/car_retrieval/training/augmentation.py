"""Training augmentation for the domain gap from web to surveillance photos.

Whole batches are augmented on their device, with random values per image: augmenting single images
takes a CPU longer than training on them.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from car_retrieval.params import AugmentationParams

BLUR_KERNEL = 5
LARGEST_BLUR = 1.5
LARGEST_ERASED_SIDE = 0.4
LARGEST_STRETCH = 1.25  # largest change of the aspect ratio by a crop
# Hue is an angle in the plane of I and Q (NTSC's YIQ).
YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


class Augmentation:
    """Augment batches of images with its own random generator.

    Args:
        params: strength of each change; 0: off.
        seed: seed of the random generator.
        device: device of the images.
    """

    def __init__(self, params: AugmentationParams, seed: int, device: torch.device) -> None:
        self.params, self.device = params, device
        self._generator = torch.Generator(device).manual_seed(seed)

    def __call__(self, images: Tensor) -> Tensor:
        """Augment images [b, 3, h, w] in 0…255 of any dtype; returns float32 of the same shape."""
        changed = self._move(images.float() / 255)
        changed = self._colour(changed)
        changed = self._blur(changed)
        changed = self._add_noise(changed)
        return 255 * self._erase(changed).clamp(0, 1)

    def _uniform(self, low: float, high: float, *shape: int) -> Tensor:
        random = torch.rand(shape, generator=self._generator, device=self.device)
        return low + (high - low) * random

    def _chosen(self, count: int, probability: float) -> Tensor:
        return self._uniform(0, 1, count) < probability

    def _move(self, images: Tensor) -> Tensor:
        """Zoom, shift, rotate and flip by one affine resampling."""
        count, p = len(images), self.params
        area = self._uniform(1 - p.crop, 1 + p.crop, count)
        stretch = min(p.crop, math.log(LARGEST_STRETCH))
        aspect = self._uniform(-stretch, stretch, count).exp()
        width, height = (area * aspect).sqrt(), (area / aspect).sqrt()
        angle = torch.deg2rad(self._uniform(-p.rotation, p.rotation, count))
        mirror = 1 - 2 * self._chosen(count, p.flip).float()
        shift = self._uniform(-1, 1, 2, count) * torch.stack([1 - width, 1 - height])
        cos, sin = angle.cos(), angle.sin()
        rows = [
            torch.stack([mirror * width * cos, -height * sin, shift[0]], dim=1),
            torch.stack([mirror * width * sin, height * cos, shift[1]], dim=1),
        ]
        grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)

    def _colour(self, images: Tensor) -> Tensor:
        """Change hue, saturation and grey by an RGB matrix, then contrast and brightness."""
        count, p = len(images), self.params
        angle = 2 * math.pi * self._uniform(-p.hue, p.hue, count)
        kept = (~self._chosen(count, p.grey)).float()
        kept = kept * self._uniform(1 - p.saturation, 1 + p.saturation, count)
        turn = torch.zeros(count, 3, 3, device=self.device)
        turn[:, 0, 0] = 1
        turn[:, 1, 1] = turn[:, 2, 2] = kept * angle.cos()
        turn[:, 2, 1] = kept * angle.sin()
        turn[:, 1, 2] = -turn[:, 2, 1]
        to_yiq = torch.tensor(YIQ, device=self.device)
        matrix = torch.linalg.inv(to_yiq) @ turn @ to_yiq
        images = torch.einsum("bij,bjhw->bihw", matrix, images)
        contrast = self._uniform(1 - p.contrast, 1 + p.contrast, count, 1, 1, 1)
        brightness = self._uniform(*p.brightness, count, 1, 1, 1)
        mean = images.mean((1, 2, 3), keepdim=True)
        return brightness * (mean + contrast * (images - mean))

    def _blur(self, images: Tensor) -> Tensor:
        blurred = torch.nonzero(self._chosen(len(images), self.params.blur))[:, 0]
        sigma = self._uniform(0.3, LARGEST_BLUR, len(images))[blurred]
        if len(blurred) == 0:
            return images
        reach = BLUR_KERNEL // 2
        offsets = torch.arange(-reach, reach + 1, device=self.device)
        line = (-0.5 * (offsets / sigma[:, None]) ** 2).exp()
        line = (line / line.sum(dim=1, keepdim=True)).repeat_interleave(3, dim=0)
        chosen = images[blurred].flatten(0, 1)[None]
        padded = F.pad(chosen, (reach,) * 4, mode="reflect")
        across = F.conv2d(padded, line[:, None, None, :], groups=len(line))
        down = F.conv2d(across, line[:, None, :, None], groups=len(line))
        return images.index_copy(0, blurred, down.view(-1, *images.shape[1:]))

    def _add_noise(self, images: Tensor) -> Tensor:
        deviation = self._uniform(0, self.params.noise, len(images), 1, 1, 1)
        noise = torch.randn(images.shape, generator=self._generator, device=self.device)
        return images + deviation * noise

    def _erase(self, images: Tensor) -> Tensor:
        """Fill a random rectangle of some images with one colour, like an occlusion."""
        count, _, height, width = images.shape
        chosen = self._chosen(count, self.params.erase)[:, None]
        inside = []
        for side in (height, width):
            length = self._uniform(0.1, LARGEST_ERASED_SIDE, count, 1)
            start = self._uniform(0, 1, count, 1) * (1 - length)
            place = (torch.arange(side, device=self.device) + 0.5) / side
            inside.append((place >= start) & (place < start + length) & chosen)
        mask = inside[0][:, None, :, None] & inside[1][:, None, None, :]
        return torch.where(mask, self._uniform(0, 1, count, 3, 1, 1), images)
