"""Attribution heat maps of queries and their matches."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from car_retrieval.data.attributes import name_of
from car_retrieval.explain.heat_map import heat_map
from car_retrieval.io.matrix import Matrix
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet, pick_device
from car_retrieval.models.encoder import Encoder, choose_encoder, signature
from car_retrieval.models.whitening import Whitening
from car_retrieval.params import EncodingParams, EvaluationParams
from car_retrieval.reporting.gallery import GalleryRow, Match, pick_queries, retrieval_gallery
from car_retrieval.reporting.overlay import overlay
from car_retrieval.search.result import RetrievalResult

TITLE = "Median queries, and where they meet their first right and their first wrong match"
SHOWN = 3  # queries at most, of four heat maps each


@dataclass(frozen=True)
class Collection:
    """Photos, their packed images and their descriptors, by the same rows."""

    photos: pd.DataFrame
    pixels: Matrix
    descriptors: Matrix


def show_heat(
    by_query: pd.DataFrame,
    hits: RetrievalResult,
    queries: Matrix,
    query_photos: pd.DataFrame,
    query_pixels: Matrix,
    gallery: Matrix,
    gallery_photos: pd.DataFrame,
    gallery_pixels: Matrix,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    whitening: Whitening,
    encoding: EncodingParams,
    params: EvaluationParams,
) -> Figure:
    """Show attribution heat maps of median queries and their matches.

    Raises:
        ValueError: the descriptors that were searched are of another encoder.
    """
    net = choose_encoder(model, checkpoints, encoding).to(pick_device(encoding.device))
    encoder = Encoder(net, encoding.scales, encoding.flip)
    if gallery.attributes.get("encoder") != signature(encoder, whitening, gallery_pixels):
        raise ValueError(
            f"{gallery.path.name} was encoded by another encoder than the present one: run the "
            "pipeline encoding again"
        )
    asked = Collection(query_photos, query_pixels, queries)
    searched = Collection(gallery_photos, gallery_pixels, gallery)
    picked = pick_queries(by_query, params.shown_queries)["median"][:SHOWN]
    scores = by_query.set_index("Query")[f"AP@{params.k}"]
    found = dict(zip(hits.query_ids.tolist(), hits.hits, strict=True))
    rows = []
    for query in tqdm(picked, "heat maps", unit="query", disable=None, leave=False):
        caption = f"{name_of(query_photos.iloc[query])} · AP@{params.k} {scores[query]:.2f}"
        ranking = found[query][found[query] >= 0]
        right = gallery_photos["Class"].to_numpy()[ranking] == query_photos["Class"].iloc[query]
        matches: list[Match] = []
        for wanted in (True, False):
            for hit in ranking[right == wanted][:1]:
                matches += _pair(encoder, whitening, asked, query, searched, int(hit), wanted)
        rows.append(GalleryRow(_upright(query_pixels[query]), caption, matches))
    return retrieval_gallery(TITLE, rows, columns=6)


def _pair(
    encoder: Encoder,
    whitening: Whitening,
    asked: Collection,
    query: int,
    searched: Collection,
    hit: int,
    right: bool,
) -> Iterator[Match]:
    """The query in the light of the hit, the hit in the light of the query, and the hit."""

    def glowing(pixels: np.ndarray, other: np.ndarray) -> np.ndarray:
        image, descriptor = (
            torch.from_numpy(x).to(encoder.net.mean.device) for x in (pixels, other)
        )
        return overlay(
            _upright(pixels), heat_map(encoder, image, descriptor, whitening).cpu().numpy()
        )

    pixels = asked.pixels[query], searched.pixels[hit]
    descriptors = asked.descriptors[query], searched.descriptors[hit]
    similarity = float(descriptors[0] @ descriptors[1])  # whatever a re-ranking makes of it
    yield Match(glowing(pixels[0], descriptors[1]), right, np.nan, "where in the query")
    yield Match(glowing(pixels[1], descriptors[0]), right, np.nan, "where in the match")
    yield Match(_upright(pixels[1]), right, similarity, name_of(searched.photos.iloc[hit]))


def _upright(image: np.ndarray) -> np.ndarray:
    return image.transpose(1, 2, 0)
