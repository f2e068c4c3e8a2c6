"""Where in their photos queries and matches look alike to the network."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from car_retrieval.matrix import Matrix
from car_retrieval.metrics.results import RetrievalResult
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet, pick_device
from car_retrieval.models.heat_map import heat_map
from car_retrieval.params import EncodingParams, EvaluationParams
from car_retrieval.pipelines.encoding.nodes import choose_encoder
from car_retrieval.pipelines.evaluation.photos import name_of
from car_retrieval.reporting.gallery import GalleryRow, Match, pick_queries, retrieval_gallery
from car_retrieval.reporting.overlay import overlay

TITLE = "Median queries, and where they meet their first right and their first wrong match"

Collection = tuple[pd.DataFrame, Matrix]
"""A table of photos and their packed images."""


def show_heat(
    by_query: pd.DataFrame,
    hits: RetrievalResult,
    gallery: Matrix,
    query_photos: pd.DataFrame,
    query_pixels: Matrix,
    gallery_photos: pd.DataFrame,
    gallery_pixels: Matrix,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    encoding: EncodingParams,
    params: EvaluationParams,
) -> Figure:
    """Show what in median queries and in their matches makes them similar, at scale 1.

    Raises:
        ValueError: the descriptors that were searched are of another network.
    """
    net = choose_encoder(model, checkpoints, encoding).to(pick_device(encoding.device))
    if gallery.attributes.get("encoder", {}).get("weights") != net.fingerprint():
        raise ValueError(
            f"{gallery.path.name} was encoded by another network than the present one: run the "
            "pipeline encoding again"
        )
    queries, searched = (query_photos, query_pixels), (gallery_photos, gallery_pixels)
    picked = pick_queries(by_query, params.shown_queries)["median"]
    scores = by_query.set_index("Query")[f"AP@{params.k}"]
    rows = []
    for query in tqdm(picked, "heat maps", unit="query", disable=None, leave=False):
        photo = queries[0].iloc[query]
        caption = f"{name_of(photo)} · AP@{params.k} {scores[query]:.2f}"
        matches = list(_matches(net, query, hits, queries, searched))
        rows.append(GalleryRow(_upright(query_pixels[query]), caption, matches))
    return retrieval_gallery(TITLE, rows, columns=6)


def _matches(
    net: DescriptorNet,
    query: int,
    hits: RetrievalResult,
    queries: Collection,
    searched: Collection,
) -> Iterator[Match]:
    """Of the first right and the first wrong hit: the query in its light, the hit, its photo."""
    place = int(np.flatnonzero(hits.query_ids == query)[0])
    found = hits.hits[place][hits.hits[place] >= 0]
    right = searched[0]["Class"].to_numpy()[found] == queries[0]["Class"].iloc[query]
    for wanted in (True, False):
        rank = np.flatnonzero(right == wanted)[:1]
        if not len(rank):
            continue
        hit, similarity = int(found[rank[0]]), float(hits.scores[place, rank[0]])
        pair = (queries[1][query], searched[1][hit])
        images = (*_glowing(net, *pair), _upright(pair[1]))
        captions = ("where in the query", "where in the match", name_of(searched[0].iloc[hit]))
        for image, caption in zip(images, captions, strict=True):
            yield Match(image, wanted, similarity, caption)


def _glowing(net: DescriptorNet, *pair: np.ndarray) -> Iterator[np.ndarray]:
    """Two photos uint8 [3, R, R], each with the heat of its similarity with the other."""
    images = torch.from_numpy(np.stack(pair)).to(net.mean.device)
    with torch.inference_mode():
        descriptors = net.eval()(images)
    for own, other in ((0, 1), (1, 0)):
        heat = heat_map(net, images[own], descriptors[other])
        yield overlay(_upright(pair[own]), heat.cpu().numpy())


def _upright(image: np.ndarray) -> np.ndarray:
    return image.transpose(1, 2, 0)
