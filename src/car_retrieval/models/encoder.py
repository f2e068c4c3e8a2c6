"""Descriptors of many images, block by block."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from tqdm import tqdm

from car_retrieval.matrix import Matrix
from car_retrieval.models.descriptor import DescriptorNet


def encode(
    net: DescriptorNet,
    images: Matrix | np.ndarray,
    *,
    rows: np.ndarray | None = None,
    scales: list[float] | None = None,
    batch_size: int = 64,
    device: torch.device | None = None,
    title: str = "encoding",
) -> Iterator[np.ndarray]:
    """Describe images in order.

    Args:
        net: the network; it is moved to the device and set to evaluation.
        images: uint8 [n, 3, R, R].
        rows: which of them, in which order; None: all.
        scales: each image is described at each of these sizes; the unit vectors are joined and
            brought to unit length again. None: at its own size.
        batch_size: images described at a time.
        device: where; None: where the network is.
        title: of the progress bar.

    Yields:
        float32 [at most batch_size, dimension · number of scales], rows of unit length.
    """
    net = net.to(device or net.mean.device).eval()
    rows = np.arange(len(images)) if rows is None else rows
    with tqdm(total=len(rows), desc=title, unit="image", disable=None, leave=False) as bar:
        for start in range(0, len(rows), batch_size):
            pixels = images[rows[start : start + batch_size]]
            with torch.inference_mode():
                batch = torch.from_numpy(pixels).to(net.mean.device)
                yield _describe(net, batch, scales or [1.0]).cpu().numpy()
            bar.update(len(pixels))


def resized(images: Tensor, scale: float) -> Tensor:
    """Images [b, 3, h, w] in 0…255 resized by a factor, antialiased, to at least 1 px a side.

    Raises:
        ValueError: the factor is not above 0.
    """
    if scale == 1:
        return images
    if not scale > 0:
        raise ValueError(f"images cannot be resized by {scale}: choose a factor above 0")
    size = [max(1, round(side * scale)) for side in images.shape[-2:]]
    return F.interpolate(images.float(), size, mode="bilinear", antialias=scale < 1)


def _describe(net: DescriptorNet, images: Tensor, scales: list[float]) -> Tensor:
    if len(scales) == 1:
        return net(resized(images, scales[0]))
    return F.normalize(torch.cat([net(resized(images, scale)) for scale in scales], dim=1))
