"""Is the trained network any good? Raw pixels, the network before training, and the newest model.

    kedro run && python benchmarks/baselines.py [--env independent]

All three describe the same packed images of the newest run; queries search the whole gallery.
"""

import argparse
from collections.abc import Iterator

import numpy as np
import torch
from run_results import catalog_of, load_results

from car_retrieval.data.protocols import labels_of
from car_retrieval.io.matrix import Matrix
from car_retrieval.metrics.retrieval import per_query, required_depth, summarise
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.models.encoder import Encoder, encode, resized
from car_retrieval.params import TrainingParams
from car_retrieval.search.exact import search_exact
from car_retrieval.training.untrained import untrained_network

PIXELS = 32
K = 20


def raw_pixels(images: Matrix) -> np.ndarray:
    """The photos as 32 × 32 pixels, float32 [n, 3072]."""
    scale = PIXELS / images.shape[-1]
    blocks = (torch.from_numpy(block) for block in images.blocks(256))
    small = [resized(block.float(), scale).flatten(1).numpy() for block in blocks]
    return np.concatenate(small)


def descriptors(
    images: dict[str, Matrix], model: DescriptorNet, encoding: dict
) -> Iterator[tuple[str, dict]]:
    """Each way to describe a photo, with the descriptors of both collections."""
    pixels = {name: raw_pixels(matrix) for name, matrix in images.items()}
    mean = pixels["gallery"].mean(axis=0)
    centred = {name: values - mean for name, values in pixels.items()}
    unit = {
        name: values / np.linalg.norm(values, axis=1, keepdims=True)
        for name, values in centred.items()
    }
    yield "raw 32 × 32 pixels, mean-centred", unit
    params = TrainingParams.model_validate(model.provenance["parameters"])
    before = untrained_network(params, model.config.image_size, "")
    for title, net in (("before training", before), ("trained", model)):
        encoder = Encoder(net, encoding["scales"], encoding["flip"])
        encoded = {name: np.concatenate(list(encode(encoder, m))) for name, m in images.items()}
        yield f"{model.config.arch}, {title}", encoded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default=None)
    env = parser.parse_args().env
    catalog = catalog_of(env)
    names = ("gallery_images", "query_images", "gallery_photos", "query_photos", "model")
    gallery_images, query_images, photos, query_photos, model = load_results(catalog, names)
    images = {"gallery": gallery_images, "queries": query_images}
    gallery, queries = labels_of(photos), labels_of(query_photos)
    depth = required_depth(queries, gallery, K)
    print(
        f"{len(queries)} queries, {len(gallery)} gallery photos, {images['gallery'].shape[-1]} px"
    )
    encoding = catalog.load("params:encoding")
    for title, vectors in descriptors(images, model, encoding.model_dump()):
        block = (gallery.index.to_numpy(), vectors["gallery"].astype(np.float32))
        result = search_exact(queries.index.to_numpy(), vectors["queries"], [block], depth)
        scores = summarise(per_query(result, queries, gallery, k=K), gallery, K)
        print(f"{title:46} mAP@{K} {scores[f'mAP@{K}']:.3f}   R@1 {scores['R@1']:.3f}")


if __name__ == "__main__":
    main()
