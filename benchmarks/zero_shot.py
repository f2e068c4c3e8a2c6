"""Which descriptor of a pretrained network finds best, without any training.

    python benchmarks/zero_shot.py [FOLDER --classes=50-98] --arch=timm/tf_efficientnet_lite0 \
        --weights=imagenet

FOLDER holds a folder a class; without it, the gallery of the committed sample. All photos search
each other, leave one out. Whitening is fitted to the same photos, without their classes.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from car_retrieval.data.compcars import list_web
from car_retrieval.data.folder import walk_photos
from car_retrieval.data.folder_lists import classes_of_folders
from car_retrieval.datasets.image_files import ImageFiles
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.metrics.retrieval import per_query, required_depth, summarise
from car_retrieval.models.encoder import encode
from car_retrieval.models.whitening import Whitening, fit_whitening
from car_retrieval.pipelines.data_processing.nodes import pack_images, select_gallery
from car_retrieval.search.exact import search_exact
from car_retrieval.training.untrained import untrained_network
from parameters import data_params, training_params

UNCHANGED = GalleryStore("unchanged")

SAMPLE = Path(__file__).parents[1] / "data" / "01_raw" / "sample"
K = 20


def photos_of(folder: Path | None, classes: str | None) -> tuple[pd.DataFrame, Mapping[str, bytes]]:
    """Path and Class of the photos to search, and their files."""
    if folder is None:
        files = ImageFiles(SAMPLE / "data" / "image")
        return select_gallery(list_web(SAMPLE), files, UNCHANGED, data_params())[0], files
    table = classes_of_folders(walk_photos(folder).photos, folder)
    names = sorted(set(table["Name"]))
    if classes:
        first, last = map(int, classes.split("-"))
        names = names[first - 1 : last]
    table = table[table["Name"].isin(names)]
    table = table.assign(Class=table["Name"].map(names.index), Hash="")  # packing names its list
    return table, ImageFiles(folder)


def leave_one_out(vectors: np.ndarray, classes: pd.Series) -> dict[str, float]:
    """R@1, mAP@k and MAP@R of photos that search each other."""
    ids = np.arange(len(vectors))
    depth = required_depth(classes, classes, K)
    result = search_exact(ids, vectors, [(ids, vectors)], depth, exclude=ids)
    return summarise(per_query(result, classes, classes, k=K, self_in_gallery=True), classes, K)


def ways(vectors: np.ndarray, fitted_to: int | None) -> Iterator[tuple[str, np.ndarray]]:
    """Each way to whiten descriptors, and what becomes of them."""
    yield "none", vectors
    rows = np.random.default_rng(7).permutation(len(vectors))[:fitted_to]
    for dimension in (64, 128, 256, 512, vectors.shape[1]):
        for power in (0.5, 1.0):
            if dimension <= len(rows):
                pca = fit_whitening(vectors[rows], rows, "pca", dimension, power)
                yield f"PCA, {dimension} dimensions, power {power}", Whitening(pca)(vectors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--classes", help="first and last folder in the order of names: 50-98")
    parser.add_argument("--arch", default="timm/tf_efficientnet_lite0")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--normalisation", default="weights")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--fitted-to", type=int, help="photos that whitening is fitted to: all")
    wanted = parser.parse_args()
    photos, files = photos_of(wanted.folder, wanted.classes)
    params = training_params(
        arch=wanted.arch, weights=wanted.weights, normalisation=wanted.normalisation, epochs=0
    )
    packing = data_params(image_size=wanted.image_size, crop="box")
    images = np.concatenate(list(pack_images(photos, files, packing, params).blocks))
    classes = pd.Series(photos["Class"].to_numpy(), name="Class")
    print(f"{len(images):,} photos of {classes.nunique()} classes, {wanted.image_size} px")
    for pooling in ("gem", "average"):
        pooled = params.model_copy(update={"pooling": pooling})
        net = untrained_network(pooled, wanted.image_size, data="")
        vectors = np.concatenate(list(encode(net, images)))
        for way, own in ways(vectors, wanted.fitted_to):
            scores = leave_one_out(own, classes)
            print(
                f"| {pooling} | {way} | {scores['R@1']:.3f} | {scores[f'mAP@{K}']:.3f} "
                f"| {scores['MAP@R']:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
