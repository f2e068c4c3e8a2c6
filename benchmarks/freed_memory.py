"""What it gains on a CPU to keep freed memory: images/s of a network, as glibc is and with it kept.

    python benchmarks/freed_memory.py [--arch timm/tf_efficientnet_lite0] [--size 224] [--batch 64]

Each way runs in a process of its own, in turns, on one thread; CPU seconds count.
"""

import argparse
import subprocess
import sys
import time

import torch

from car_retrieval.io.memory import keep_freed_memory
from car_retrieval.models.backbone import build_backbone

REPEATS = 3


def measure(arch: str, size: int, batch: int, kept: bool) -> tuple[float, float]:
    """Images/s of describing and of training."""
    if kept:
        keep_freed_memory()
    torch.set_num_threads(1)
    net, _ = build_backbone(arch, None, size)
    net = net.to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    seconds = []
    for training in (False, True):
        net.train(training)
        for _ in range(2):  # the first warms up
            began = time.process_time()
            with torch.set_grad_enabled(training):
                features = net(images).map
            if training:
                features.sum().backward()
        seconds.append(time.process_time() - began)
    return batch / seconds[0], batch / seconds[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", default="timm/tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--kept", type=int, choices=[0, 1], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.kept is not None:
        print(*measure(args.arch, args.size, args.batch, bool(args.kept)))
        return
    print(f"{args.arch}, {args.size} px, batches of {args.batch}, images per CPU second")
    best = {0: [0.0, 0.0], 1: [0.0, 0.0]}
    for _ in range(REPEATS):
        for kept, speeds in best.items():
            command = [sys.executable, __file__, *sys.argv[1:], f"--kept={kept}"]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            best[kept] = [
                max(*pair) for pair in zip(speeds, map(float, output.split()), strict=True)
            ]
    for number, way in enumerate(("describing", "training")):
        plain, kept = best[0][number], best[1][number]
        print(f"{way:12} as it is {plain:6.1f}   kept {kept:6.1f}   {kept / plain:.2f} x")


if __name__ == "__main__":
    main()
