"""How large are backbones, and how long do they look at a photo, beside each other?

Parameters are of the layers that stay, without the classifier. Time is the CPU time of one thread
for a batch of 8 photos, divided by 8: rounds are interleaved and medians shown, so that other work
on the machine disturbs little. Weights are random: they change neither.

    python benchmarks/models.py
    python benchmarks/models.py resnet50 timm/convnextv2_atto --size 112
"""

import argparse
from statistics import median
from time import process_time

import torch

from car_retrieval.models.backbone import build_backbone

ARCHS = [
    *("resnet18", "resnet34", "resnet50", "resnet101"),
    *("convnext_tiny", "convnext_small"),
    *("efficientnet_b0", "efficientnet_b3", "efficientnet_v2_s"),
    *("vit_b_32", "vit_b_16", "swin_t", "swin_v2_t"),
]
BATCH = 8


def main() -> None:
    """Print a row a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archs", nargs="*", default=ARCHS)
    parser.add_argument("--size", type=int, default=224, help="side of the photos in pixels")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = torch.rand(BATCH, 3, options.size, options.size).to(memory_format=torch.channels_last)
    nets, seconds = {}, {}
    for arch in options.archs:
        net, features = build_backbone(arch, None, options.size)
        nets[arch] = net.eval().to(memory_format=torch.channels_last), features
        seconds[arch] = []
    with torch.inference_mode():
        for number in range(1 + options.rounds):
            for arch, (net, _) in nets.items():
                start = process_time()
                net(images)
                if number:  # the first round warms up
                    seconds[arch].append(process_time() - start)
    print(f"{options.size} px, {torch.__version__}")
    print("| network | parameters, M | channels | map | class token | ms a photo |")
    print("|---|---|---|---|---|---|")
    for arch, (net, features) in nets.items():
        size = sum(weight.numel() for weight in net.parameters()) / 1e6
        channels, height, width = features.map.shape[1:]
        token = "" if features.token is None else "yes"
        pace = 1000 * median(seconds[arch]) / BATCH
        print(f"| {arch} | {size:.1f} | {channels:,} | {height} × {width} | {token} | {pace:.0f} |")


if __name__ == "__main__":
    main()
