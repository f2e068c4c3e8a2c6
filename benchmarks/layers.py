"""Which layers and which whitening find most: of classes that train, of others, of few photos.

    kedro run --env=independent && python benchmarks/layers.py --env=independent [--photos]

The newest model of an environment describes the packed images, and their mirror images, by each of
its layers. Whitening is fitted to the training photos. With `--photos` it is fitted to some of each
class, which validation photos then search.
"""

import argparse

import numpy as np
import pandas as pd
from run_results import catalog_of, load_results

from car_retrieval.data import protocols
from car_retrieval.io.matrix import Matrix
from car_retrieval.metrics.evaluator import RetrievalEvaluator
from car_retrieval.models.encoder import Encoder, encode, with_features
from car_retrieval.models.whitening import Whitening, fit_whitening
from car_retrieval.params.encoding import FeatureLayers

SCORES = ("mAP@20", "R@1", "MAP@R")
NAMES = ("gallery_images", "query_images", "gallery_photos", "query_photos", "split", "model")
LAYERS: tuple[FeatureLayers, ...] = ("head", "pooled", "stage")
WAYS = (None, (64, 0.9), (128, 0.9), (256, 0.9), (128, 0.7), (256, 0.7), (None, 0.7), (None, 0.5))
FEW = (2, 4, 8, 16, 32)


def whitened(
    vectors: np.ndarray,
    fitted: np.ndarray,
    classes: pd.Series,
    way: tuple[int | None, float] | None,
) -> np.ndarray:
    """Vectors as they are, or whitened by some descriptors of known classes."""
    if way is None:
        return vectors
    return Whitening(fit_whitening(fitted, classes.to_numpy(), "learnt", *way))(vectors)


def scores_of(
    queries: np.ndarray, asked: pd.Series, gallery: np.ndarray, searched: pd.Series, own: bool
) -> str:
    """Scores of queries in a gallery, both without the rows that have no label."""
    evaluator = RetrievalEvaluator(asked, searched, k=20, own=own)
    found = evaluator.search(
        queries[asked.index], [(searched.index.to_numpy(), gallery[searched.index])]
    )
    scores = evaluator.summarise(evaluator.per_query(found))
    return " | ".join(f"{scores[name]:.3f}" for name in SCORES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default=None)
    parser.add_argument("--photos", action="store_true", help="fit to some photos of each class")
    wanted = parser.parse_args()
    catalog = catalog_of(wanted.env)
    images, query_images, photos, query_photos, split, model = load_results(catalog, NAMES)
    valid, train = protocols.valid_protocol(split)
    test, every = protocols.labels_of(query_photos), protocols.labels_of(photos)
    own = catalog.load("params:evaluation").search_in == "queries"
    order = train.sample(frac=1, random_state=0)
    rank = order.groupby(order).cumcount()

    def described(layers: FeatureLayers, of: Matrix) -> np.ndarray:
        return np.concatenate(list(encode(Encoder(with_features(model, layers), flip=True), of)))

    for layers in LAYERS:
        gallery = described(layers, images)
        if wanted.photos:
            for count in FEW:
                some = order[rank < count]
                for way in (None, (64, 0.9)):
                    vectors = whitened(gallery, gallery[some.index], some, way)
                    line = scores_of(vectors, valid, vectors, some, own=True)
                    print(f"| {count} | {layers} | {way} | {line} |", flush=True)
            continue
        queries = described(layers, query_images)
        for way in WAYS:
            training = gallery[train.index]
            asked, searched = (whitened(v, training, train, way) for v in (queries, gallery))
            sides = (asked, test) if own else (searched, every)
            line = scores_of(asked, test, *sides, own)
            line += " | " + scores_of(searched, valid, searched, train, own=True)
            print(f"| {layers} | {way} | {line} |", flush=True)


if __name__ == "__main__":
    main()
