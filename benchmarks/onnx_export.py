"""The ONNX file against PyTorch; and how a photo must be made square for it.

    python benchmarks/onnx_export.py [network …]

Networks with random weights, 128 dimensions of photos of noise of 64 px: seconds to export, size,
and the largest angle between the two descriptors of 33 photos.

Then, where `kedro run` and `kedro run --pipelines=export` were run on the sample: how far the
descriptor of a query photo is from the stored one, by the way it is made square.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from PIL import Image, ImageOps

from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.onnx_export import WhitenedEncoder, largest_angle, to_onnx
from car_retrieval.models.whitening import Whitening

NETWORKS = ("resnet18", "resnet50", "efficientnet_b0", "convnext_tiny", "swin_t", "vit_b_16")
SIDE = 64


def compare(arch: str) -> dict[str, object]:
    net = DescriptorNet(DescriptorConfig(arch, 128, SIDE, normalisation="image"))
    network = WhitenedEncoder(Encoder(net), Whitening()).eval()
    start = time.perf_counter()
    model = to_onnx(network)
    seconds = time.perf_counter() - start
    images = np.random.default_rng(0).integers(0, 256, (33, 3, SIDE, SIDE), np.uint8)
    row: dict[str, object] = {"network": arch, "export s": round(seconds, 1)}
    row["MB"] = round(model.ByteSize() / 1e6, 1)
    row["angle °"] = f"{largest_angle(model, network, images):.1g}"
    return row


def reflected(photo: Image.Image, side: int) -> np.ndarray:
    pixels = np.asarray(ImageOps.contain(photo, (side, side)))
    free = side - np.array(pixels.shape[:2])
    return np.pad(pixels, [*zip(free // 2, free - free // 2, strict=True), (0, 0)], "symmetric")


SQUARES: dict[str, Callable[[Image.Image, int], np.ndarray]] = {
    "reflected": reflected,
    "black bars": lambda photo, side: np.asarray(ImageOps.pad(photo, (side, side))),
    "stretched": lambda photo, side: np.asarray(photo.resize((side, side))),
    "middle cut out": lambda photo, side: np.asarray(ImageOps.fit(photo, (side, side))),
}


def squares() -> pd.DataFrame:
    """Median angle to the stored descriptor, and R@1, of the sample's query photos."""
    bootstrap_project(".")
    catalog = KedroSession.create().load_context().catalog
    photos, gallery = catalog.load("query_photos"), catalog.load("gallery_photos")
    stored, searched = catalog.load("query_descriptors")[:], catalog.load("gallery_descriptors")[:]
    session = catalog.load("onnx_model")
    root = catalog.load("surveillance_images").root
    opened = [Image.open(root / path).convert("RGB") for path in photos["Path"]]
    known = photos["Class"].isin(gallery["Class"]).to_numpy()

    def scores(vectors: np.ndarray) -> dict[str, float]:
        angles = np.degrees(np.arccos(np.clip((vectors * stored).sum(1), -1, 1)))
        first = gallery["Class"].to_numpy()[(vectors @ searched.T).argmax(1)]
        hits = (first == photos["Class"])[known]
        return {"median angle °": round(float(np.median(angles)), 2), "R@1": hits.mean().round(3)}

    rows = {"as packed": scores(stored)}
    side = session.get_inputs()[0].shape[-1]
    for name, square in SQUARES.items():
        pixels = np.stack([square(photo, side) for photo in opened]).transpose(0, 3, 1, 2)
        rows[name] = scores(session.run(None, {"images": np.ascontiguousarray(pixels)})[0])
    return pd.DataFrame(rows).T


def main() -> None:
    for arch in sys.argv[1:] or NETWORKS:
        print(compare(arch), flush=True)
    print(squares().to_string())


if __name__ == "__main__":
    main()
