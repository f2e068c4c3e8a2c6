"""Is memory flat in the number of images? Peak of packing, training and encoding at two sizes.

    python benchmarks/memory.py [--small 2000] [--large 40000]

Each stage runs in a process of its own on noise images of 224 px; the network sees them at 32 px
so that the measurement ends: memory depends on the images read, not on how long a batch computes.
"""

import argparse
import io
import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix

SIZE = 224
PHOTOS_PER_CLASS = 40


class Photos(Mapping[str, bytes]):
    """As many JPEGs of 600 × 400 px as asked for, the same 50 over and over."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(0)
        self.count, self.files = count, []
        for _ in range(50):
            buffer = io.BytesIO()
            pixels = rng.integers(0, 256, (20, 30, 3), np.uint8)
            Image.fromarray(pixels).resize((600, 400)).save(buffer, "JPEG")
            self.files.append(buffer.getvalue())

    def __getitem__(self, path: str) -> bytes:
        return self.files[int(path) % len(self.files)]

    def __iter__(self) -> Iterator[str]:
        return map(str, range(self.count))

    def __len__(self) -> int:
        return self.count


def pack_all(folder: Path, count: int) -> None:
    from car_retrieval.images.pack import Packing, pack

    photos = Photos(count)
    write_matrix(
        folder / "imageset.npy",
        MatrixStream(pack(photos, list(photos), None, Packing(SIZE, "gaussian"), workers=2)),
    )


def train_all(folder: Path, count: int) -> None:
    from car_retrieval.data.splits import split_gallery
    from car_retrieval.metrics.verification import sample_pairs
    from car_retrieval.training.trainer import Trainer
    from car_retrieval.training.validation import Validation
    from parameters import training_params

    images = Matrix(folder / "imageset.npy")
    rows = np.arange(count)
    photos = pd.DataFrame(
        {"Index": rows, "Class": rows // PHOTOS_PER_CLASS, "Hash": rows.astype(str)}
    )
    photos["Group"] = photos["Hash"]
    split = split_gallery(photos, ratio=7, keep_twins=True, seed=0)
    labels = split.set_index("Index")["Class"]
    parts = [labels[(split["split"] == side).to_numpy()] for side in ("valid", "train")]
    params = training_params(
        **{"arch": "resnet18", "weights": None, "freeze_bn": False, "frozen_blocks": 0},
        epochs=1,
        scale=32 / SIZE,
        augmentation=None,
        sampler={"name": "shuffle"},
        dimension=512,
    )
    validation = Validation(images, split, sample_pairs(*parts, seed=0), params.k)
    validation = SmallImages(validation)
    list(Trainer(images, split, validation, params).epochs())


class SmallImages:
    """A validation whose network sees small images."""

    def __init__(self, validation: Callable) -> None:
        self.validation = validation

    def __call__(self, net: Callable) -> dict:
        from car_retrieval.models.encoder import resized

        hook = net.register_forward_pre_hook(lambda _, args: (resized(args[0], 32 / SIZE),))
        try:
            return self.validation(net)
        finally:
            hook.remove()


def encode_all(folder: Path, count: int) -> None:
    from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
    from car_retrieval.models.encoder import encode

    net = DescriptorNet(DescriptorConfig("resnet18", 512, SIZE))
    blocks = encode(net, Matrix(folder / "imageset.npy"), scales=[32 / SIZE])
    write_matrix(folder / "database.npy", MatrixStream(blocks))


def measured(stage: Callable[[Path, int], None], folder: Path, count: int, queue: object) -> None:
    import psutil

    from car_retrieval.io.memory import MemoryWatch

    watch = MemoryWatch()
    stage(folder, count)
    queue.put((watch.reset(), psutil.Process().memory_info().rss))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=2000)
    parser.add_argument("--large", type=int, default=40000)
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    print(f"{'peak MB':10}{args.small:>10,}{args.large:>10,}  images of {SIZE} px")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for stage in (pack_all, train_all, encode_all):
            peaks = []
            for count in (args.small, args.large):
                place = Path(folder) / str(count)
                queue = context.Queue()
                process = context.Process(target=measured, args=(stage, place, count, queue))
                process.start()
                peaks.append(queue.get()[0] / 1e6)
                process.join()
            print(f"{stage.__name__:10}{peaks[0]:10,.0f}{peaks[1]:10,.0f}", flush=True)


if __name__ == "__main__":
    main()
