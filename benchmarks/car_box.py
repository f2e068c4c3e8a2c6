"""How well is the car boxed in a photo, and what does that gain? On the committed sample.

    python benchmarks/car_box.py [--queries 120] [--per-class 6] [--size 128]

Each photo is searched whole, by the proposed box and by its label, in the sample's web photos cut
to their labels, itself left out: descriptors of an EfficientNet-Lite0 that knows ImageNet only,
GeM, no projection. `web`: those web photos; `crops`: the same, cut to their labels already; `far`:
the same models drawn with the car on .3 to .6 of a side, searched in each other as well.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import normalize

from car_retrieval.data.compcars import BOX
from car_retrieval.data.photo_table import select_views
from car_retrieval.datasets.photo_lists import WebNatureDataset
from car_retrieval.images.crop import Box, crop
from car_retrieval.images.decode import decode
from car_retrieval.images.letterbox import letterbox
from car_retrieval.metrics.retrieval import per_query, required_depth, summarise
from car_retrieval.models.backbone import build_backbone
from car_retrieval.models.car_box import propose_box
from car_retrieval.models.gem import GeM
from car_retrieval.models.weights import pixels_of
from car_retrieval.sample import drawing
from car_retrieval.sample.models import make_catalogue
from car_retrieval.search.exact import search_exact

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data/01_raw/sample"
ARCH = "timm/tf_efficientnet_lite0"
K = 20
FAR = ((0.3, 0.6), (0.4, 0.9))  # share of the picture's side; place from top to bottom
SEED = 7

Pixels = np.ndarray
Boxes = Sequence[Box | None]


class Photos(NamedTuple):
    """Pixels uint8 [h, w, 3], labelled boxes and classes."""

    pixels: list[Pixels]
    boxes: list[Box]
    classes: np.ndarray

    def cut(self, boxes: Boxes) -> list[Pixels]:
        """The part in each box; None: the whole photo."""
        return [
            p if box is None else crop(p, box, p.shape[1], p.shape[0])
            for p, box in zip(self.pixels, boxes, strict=True)
        ]

    def rows(self, rows: np.ndarray) -> "Photos":
        pixels, boxes = ([own[row] for row in rows] for own in (self.pixels, self.boxes))
        return Photos(pixels, boxes, self.classes[rows])


def web_photos() -> tuple[Photos, pd.DataFrame]:
    """The sample's front views that have a box, and their list."""
    table = select_views(WebNatureDataset(filepath=str(SAMPLE)).load(), [1, 4])
    kept, pixels = [], []
    for row, (path, x1, x2) in enumerate(zip(table["Path"], table["x1"], table["x2"], strict=True)):
        if pd.isna(x1) or x2 - x1 < 16:
            continue
        try:
            decoded = decode((SAMPLE / "data/image" / path).read_bytes())
        except ValueError:  # the truncated one
            continue
        kept.append(row)
        pixels.append(decoded.pixels)
    table = table.iloc[kept].reset_index(drop=True)
    boxes = [Box(*row) for row in table[BOX].to_numpy(float)]
    return Photos(pixels, boxes, table["Class"].to_numpy(int)), table


def far_photos(table: pd.DataFrame, per_class: int) -> Photos:
    """Photos of the same models in which the car is small."""
    rng, fit = np.random.default_rng(SEED), drawing.Camera.fit

    def from_afar(camera: Any, points: Any, size: Any, _fill: float, _place: Any) -> Any:
        place = (float(rng.random()), float(rng.uniform(*FAR[1])))
        return fit(camera, points, size, float(rng.uniform(*FAR[0])), place)

    cars = {car.model_id: car for car in make_catalogue(30, SEED)}
    models = dict(zip(table["Class"], table["Path"].str.split("/").str[1].astype(int), strict=True))
    pixels, boxes, classes = [], [], []
    with patch.object(drawing.Camera, "fit", from_afar):
        for class_, model in sorted(models.items()):
            for number in range(per_class):
                view = 4 if number % 3 == 0 else 1
                photo = drawing.draw_photo(cars[model], rng, view, (360, 250))
                pixels.append(np.array(photo.image.convert("RGB")))
                boxes.append(Box(*photo.box))
                classes.append(class_)
    return Photos(pixels, boxes, np.array(classes))


def describer(size: int) -> Callable[[Sequence[Pixels]], np.ndarray]:
    """Photos to descriptors float32 [n, 1280]."""
    net, _ = build_backbone(ARCH, "imagenet", size)
    own, pool = pixels_of(ARCH), GeM()
    mean, std = (255 * torch.tensor(v).view(3, 1, 1) for v in (own.mean, own.std))
    net.eval()

    def describe(photos: Sequence[Pixels]) -> np.ndarray:
        found = []
        for start in range(0, len(photos), 32):
            batch = [letterbox(p, size, "gaussian")[0] for p in photos[start : start + 32]]
            images = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)
            with torch.inference_mode():
                found.append(normalize(pool(net((images - mean) / std).map)).numpy())
        return np.concatenate(found)

    return describe


def scores(
    queries: np.ndarray, own: Sequence[int], classes: np.ndarray, gallery: np.ndarray,
    gallery_classes: np.ndarray,
) -> dict[str, Any]:  # fmt: skip
    """R@1 and mAP@20; `own` are the queries' rows of the gallery, or ids beyond it."""
    ids, labels = np.array(own), (pd.Series(classes, own), pd.Series(gallery_classes))
    depth = min(required_depth(*labels, K), len(gallery) - 1)
    result = search_exact(ids, queries, [(np.arange(len(gallery)), gallery)], depth, exclude=ids)
    inside = bool((ids < len(gallery)).all())
    return summarise(per_query(result, *labels, k=K, self_in_gallery=inside), labels[1], K)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one.x2, other.x2) - max(one.x1, other.x1) + 1
    height = min(one.y2, other.y2) - max(one.y1, other.y1) + 1
    shared = max(width, 0) * max(height, 0)
    return shared / (one.width * one.height + other.width * other.height - shared)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=120, help="of the web photos")
    parser.add_argument("--per-class", type=int, default=6, help="photos from afar")
    parser.add_argument("--size", type=int, default=128)
    args = parser.parse_args()
    describe = describer(args.size)
    web, table = web_photos()
    gallery = describe(web.cut(web.boxes))
    rows = np.linspace(0, len(web.pixels) - 1, args.queries).astype(int)
    some, far = web.rows(rows), far_photos(table, args.per_class)
    cropped = some.cut(some.boxes)
    crops = Photos(cropped, [Box(1, 1, p.shape[1], p.shape[0]) for p in cropped], some.classes)
    outside = range(len(gallery), len(gallery) + len(far.pixels))
    print("| queries | searched by | IoU | R@1 | mAP@20 |\n|---|---|---|---|---|")
    for name, photos, own in (("web", some, rows), ("crops", crops, rows), ("far", far, outside)):
        report(name, photos, own, web.classes, describe, gallery)


def report(
    name: str, photos: Photos, own: Sequence[int], classes: np.ndarray,
    describe: Callable[[Sequence[Pixels]], np.ndarray], gallery: np.ndarray,
) -> None:  # fmt: skip
    """Print how photos are found in the gallery, and, of far ones, in a gallery made like them."""
    count = len(photos.pixels)
    proposed = [propose_box(pixels) for pixels in photos.pixels]
    ways: dict[str, Boxes] = {"whole": [None] * count, "proposed": proposed}
    if name != "crops":
        ways["label"] = photos.boxes
    for way, boxes in ways.items():
        sized = [
            box or Box(1, 1, p.shape[1], p.shape[0])
            for p, box in zip(photos.pixels, boxes, strict=True)
        ]
        iou = np.mean([overlap(*pair) for pair in zip(sized, photos.boxes, strict=True)])
        queries = describe(photos.cut(boxes))
        found = scores(queries, own, photos.classes, gallery, classes)
        line(name, way, iou, found)
        if name == "far":
            alone = scores(queries, range(count), photos.classes, queries, photos.classes)
            line("far, gallery packed alike", way, iou, alone)


def line(name: str, way: str, iou: float, found: dict[str, Any]) -> None:
    """Print a row of the table."""
    print(
        f"| {name} | {way} | {iou:.3f} | {found['R@1']:.3f} | {found[f'mAP@{K}']:.3f} |", flush=True
    )


if __name__ == "__main__":
    main()
