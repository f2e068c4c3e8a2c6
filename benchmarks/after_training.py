"""What can be gained after training: flip, scales, whitening, expansion, re-ranking.

    kedro run && python benchmarks/after_training.py [--env independent]

The newest model of an environment describes the packed images anew in each way. Whitening is
fitted to the training photos; test and validation queries are ranked and scored as in a run.
"""

import argparse
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from run_results import catalog_of, load_results

from car_retrieval.data import protocols
from car_retrieval.metrics.retrieval import per_query, required_depth, summarise
from car_retrieval.models.encoder import Encoder, encode
from car_retrieval.models.whitening import Whitening, fit_whitening
from car_retrieval.search.expansion import Expansion, expansion
from car_retrieval.search.gallery import Gallery
from car_retrieval.search.kreciprocal import KReciprocal

SCORES = ("mAP@20", "R@1", "MAP@R")
QUERIES = partial(expansion, query_k=5, database_k=0, alpha=3)
GALLERY = partial(expansion, query_k=0, database_k=5, alpha=3)
BOTH = partial(expansion, query_k=5, database_k=5, alpha=3)
KRECIPROCAL = partial(KReciprocal, k1=20, k2=6, weight=0.3, candidates=200)


class Way(NamedTuple):
    """How photos are described and ranked."""

    title: str
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    whitening: tuple | None = None
    ranking: Callable[[Gallery], Gallery | Expansion | KReciprocal] = lambda gallery: gallery


WAYS = (
    Way("as trained"),
    Way("flip", flip=True),
    Way("scales .71, 1, 1.41", (0.7071, 1.0, 1.4147)),
    Way("scales .5, .71, 1, 1.41, 2", (0.5, 0.7071, 1.0, 1.4147, 2.0)),
    Way("PCA", whitening=("pca",)),
    Way("PCA, power 0.5", whitening=("pca", None, 0.5)),
    Way("PCA 32", whitening=("pca", 32)),
    Way("PCA 32, power 0.5", whitening=("pca", 32, 0.5)),
    Way("learnt", whitening=("learnt",)),
    Way("learnt, power 0.5", whitening=("learnt", None, 0.5)),
    Way("learnt 32", whitening=("learnt", 32)),
    Way("learnt 32, power 0.5", whitening=("learnt", 32, 0.5)),
    Way("query expansion 5", ranking=QUERIES),
    Way("database augmentation 5", ranking=GALLERY),
    Way("both", ranking=BOTH),
    Way("k-reciprocal", ranking=KRECIPROCAL),
    Way("flip, learnt 32", flip=True, whitening=("learnt", 32)),
    Way("flip, learnt 32, both expansions", (1.0,), True, ("learnt", 32), BOTH),
    Way("flip, learnt 32, k-reciprocal", (1.0,), True, ("learnt", 32), KRECIPROCAL),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default=None)
    env = parser.parse_args().env
    names = ("gallery_images", "query_images", "gallery_photos", "query_photos", "split", "model")
    gallery_images, query_images, photos, query_photos, split, model = load_results(
        catalog_of(env), names
    )
    valid, train = protocols.valid_protocol(split)
    test, every = protocols.labels_of(query_photos), protocols.labels_of(photos)

    @cache
    def described(scales: tuple[float, ...], flip: bool) -> tuple[np.ndarray, np.ndarray]:
        encoder = Encoder(model, scales, flip)
        both = (encode(encoder, images) for images in (gallery_images, query_images))
        gallery, queries = (np.concatenate(list(blocks)) for blocks in both)
        return gallery, queries

    print(f"{'':34}{'test':^21}{'valid':^21}")
    print(f"{'':34}" + 2 * "".join(f"{name:>7}" for name in SCORES))
    for way in WAYS:
        gallery, queries = described(way.scales, way.flip)
        if way.whitening:
            training = gallery[train.index]
            whitening = Whitening(fit_whitening(training, train.to_numpy(), *way.whitening))
            gallery, queries = whitening(gallery), whitening(queries)
        line = f"{way.title:34}"
        for asked, asking, searched in ((queries, test, every), (gallery, valid, train)):
            ranking = way.ranking(Gallery(gallery, searched.index.to_numpy()))
            ids, depth = asking.index.to_numpy(), required_depth(asking, searched, 20)
            hits = ranking.search(ids, asked[ids], depth)
            scores = summarise(per_query(hits, asking, searched), searched, k=20)
            line += "".join(f"{scores[score]:7.3f}" for score in SCORES)
        print(line, flush=True)


if __name__ == "__main__":
    main()
