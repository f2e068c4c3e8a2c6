"""Draw attribution heat maps of queries and their matches."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL.Image import Image
from tqdm import tqdm

from car_retrieval.data.attributes import name_of
from car_retrieval.explain.heat_map import heat_map
from car_retrieval.io.matrix import Matrix
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet, pick_device
from car_retrieval.models.encoder import Encoder, encoder_of
from car_retrieval.models.whitening import Whitening
from car_retrieval.params import EncodingParams, EvaluationParams
from car_retrieval.reporting.overlay import overlay
from car_retrieval.reporting.photo_grid import GridMatch, GridRow, pick_queries, retrieval_grid
from car_retrieval.search.result import RetrievalResult

TITLE = "Median queries, and where they meet their first right and their first wrong match"
SHOWN = 3  # queries at most, of four heat maps each


class WhitenedEncoder(NamedTuple):
    """An encoder and the whitening of its descriptors."""

    encoder: Encoder
    whitening: Whitening

    def describe(self, image: np.ndarray) -> np.ndarray:
        """Describe one image, uint8 [3, R, R], as float32 [D]."""
        with torch.inference_mode():
            return self.whitening(self.encoder(self.tensor(image[None])).cpu().numpy())[0]

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        """The array on the encoder's device."""
        return torch.from_numpy(array).to(self.encoder.net.mean.device)


def load_encoder(
    gallery_descriptors: Matrix,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    whitening: Whitening,
    encoding: EncodingParams,
) -> WhitenedEncoder:
    """The encoder behind the gallery's descriptors, on the device of `encoding`."""
    encoder = encoder_of(gallery_descriptors, model, checkpoints)
    return WhitenedEncoder(encoder.to(pick_device(encoding.device)).eval(), whitening)


def draw_heat_maps(
    by_query: pd.DataFrame,
    hits: RetrievalResult,
    query_photos: pd.DataFrame,
    query_images: Matrix,
    gallery_photos: pd.DataFrame,
    gallery_images: Matrix,
    encoder: WhitenedEncoder,
    params: EvaluationParams,
) -> Image:
    """Draw heat maps of median queries, with their first right and first wrong match.

    Without scores it is the first match of some queries.
    """
    picked = pick_queries(by_query, params.shown_queries)["median"][:SHOWN]
    scores = by_query.set_index("Query")[f"AP@{params.k}"]
    found = dict(zip(hits.query_ids.tolist(), hits.hits, strict=True))
    classes = gallery_photos["Class"].to_numpy()
    rows = []
    for query in tqdm(picked, "heat maps", unit="query", disable=None, leave=False):
        caption, scored = name_of(query_photos.iloc[query]), not np.isnan(scores[query])
        ranking = found[query][found[query] >= 0]
        kinds: dict[bool | None, np.ndarray] = {None: ranking}
        if scored:
            caption += f" · AP@{params.k} {scores[query]:.2f}"
            right = classes[ranking] == query_photos["Class"].iloc[query]
            kinds = {True: ranking[right], False: ranking[~right]}
        matches: list[GridMatch] = []
        for wanted, hits_of in kinds.items():
            for hit in hits_of[:1]:
                pair = query_images[query], gallery_images[int(hit)]
                matches += _matches(encoder, *pair, wanted, name_of(gallery_photos.iloc[hit]))
        rows.append(GridRow(_upright(query_images[query]), caption, matches))
    return retrieval_grid(TITLE, rows, columns=6)


def _matches(
    encoder: WhitenedEncoder, query: np.ndarray, hit: np.ndarray, right: bool | None, name: str
) -> Iterator[GridMatch]:
    """The query in the light of the hit, the hit in the light of the query, and the hit."""

    def glowing(image: np.ndarray, other: np.ndarray) -> np.ndarray:
        inputs = encoder.tensor(image), encoder.tensor(other)
        heat = heat_map(encoder.encoder, *inputs, encoder.whitening)
        return overlay(_upright(image), heat.cpu().numpy())

    descriptors = encoder.describe(query), encoder.describe(hit)
    similarity = float(descriptors[0] @ descriptors[1])  # whatever a re-ranking makes of it
    yield GridMatch(glowing(query, descriptors[1]), right, np.nan, "where in the query")
    yield GridMatch(glowing(hit, descriptors[0]), right, np.nan, "where in the match")
    yield GridMatch(_upright(hit), right, similarity, name)


def _upright(image: np.ndarray) -> np.ndarray:
    return image.transpose(1, 2, 0)
