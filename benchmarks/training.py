"""Images per second of the trainer, as a share of plain PyTorch's with the same backbone.

    python benchmarks/training.py [--arch resnet50] [--size 224] [--batch 128]
        [--precision bfloat16] [--device cuda]

Plain PyTorch classifies one batch over and over that lies on the device: backbone, average pooling,
a linear layer, AdamW. The trainer does the whole of an epoch: it reads noise photos from a matrix
on disk, changes them, describes them and learns by its default loss; validation and saving are not
counted. All are warmed up, and take turns.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.models.backbone import build_backbone
from car_retrieval.models.descriptor import pick_device
from car_retrieval.training.trainer import Trainer
from parameters import training_params

CLASSES = 100
SCORES = dict.fromkeys(("mAP@20", "MAP@R", "R@1", "AUC", "EER"), 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", default="resnet50")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=40, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    device = pick_device(args.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{args.arch}, {args.size} px, batches of {args.batch}, {args.precision}, {name}")
    with tempfile.TemporaryDirectory() as folder:
        matrix = noise(Path(folder) / "imageset.npy", args.batch * args.steps, args.size)
        ways = {
            "plain PyTorch": plain(args, device),
            "trainer, no augmentation": trainer(args, matrix, augmentation=None),
            "trainer": trainer(args, matrix),
        }
        speeds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(args.repeats):
            for way, measure in ways.items():
                speeds[way].append(measure())
    ceiling = max(speeds["plain PyTorch"])
    print(f"{'':28}{'images/s':>9}{'share':>7}   all repeats")
    for way, found in speeds.items():
        every = " ".join(f"{speed:.0f}" for speed in found)
        print(f"{way:28}{max(found):9.0f}{max(found) / ceiling:7.0%}   {every}")


def noise(path: Path, count: int, size: int) -> Matrix:
    rng = np.random.default_rng(0)
    block = rng.integers(0, 256, (256, 3, size, size), np.uint8)
    sizes = [min(256, count - start) for start in range(0, count, 256)]
    write_matrix(path, MatrixStream(block[:number] for number in sizes))
    return Matrix(path)


class Classifier(nn.Module):
    """A backbone, average pooling and one linear layer."""

    def __init__(self, arch: str, size: int) -> None:
        super().__init__()
        self.backbone, features = build_backbone(arch, None, size)
        self.classify = nn.Linear(features.map.shape[1], CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.backbone(images).map.mean((-2, -1)))


def plain(args: argparse.Namespace, device: torch.device) -> Callable[[], float]:
    net = Classifier(args.arch, args.size).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters())
    images = torch.randn(args.batch, 3, args.size, args.size, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.arange(args.batch, device=device) % CLASSES

    def train(steps: int) -> None:
        for _ in range(steps):
            with torch.autocast(device.type, torch.bfloat16, args.precision == "bfloat16"):
                loss = F.cross_entropy(net(images), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        loss.item()  # waits for the device

    train(5)

    def measure() -> float:
        began = time.perf_counter()
        train(args.steps)
        return args.steps * args.batch / (time.perf_counter() - began)

    return measure


def trainer(args: argparse.Namespace, images: Matrix, **changes: Any) -> Callable[[], float]:
    index = np.arange(len(images))
    split = pd.DataFrame({"Index": index, "Class": index % CLASSES, "split": "train"})
    split["Hash"] = split["Index"].astype(str)
    half: Any = {"precision": args.precision} if args.precision != "float32" else {}
    params = training_params(
        **{"arch": args.arch, "weights": None, "frozen_blocks": 0},
        **{"batch_size": args.batch, "device": args.device},
        **{"epochs": 1 + args.repeats, "freeze_bn": False, **half, **changes},
    )
    epochs = Trainer(images, split, lambda net: SCORES, params).epochs()  # type: ignore[arg-type]
    next(epochs)

    def measure() -> float:
        report = next(epochs)["report"]
        return report["images"] / report["seconds"]

    return measure


if __name__ == "__main__":
    main()
