"""Encode a collection."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from car_retrieval.data.fingerprint import digest
from car_retrieval.data.splits import TRAIN
from car_retrieval.io.matrix import Matrix, MatrixStream
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet, pick_device
from car_retrieval.models.encoder import Encoder, choose_encoder, encode, signature
from car_retrieval.models.whitening import Whitening, fit_whitening
from car_retrieval.params import EncodingParams, WhiteningParams
from car_retrieval.training.untrained import untrained

UNTRAINED = WhiteningParams(kind="pca", dimension=256, power=0.5)
"""Kind `auto` of a network that was not trained: measured in docs/benchmarks/zero_shot.md."""


def learn_whitening(
    imageset: Matrix,
    split: pd.DataFrame,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    params: EncodingParams,
) -> Whitening:
    """Fit a whitening to a sample of the training photos; to nothing where none is asked for.

    `auto` keeps fewer dimensions where there are less than 1.5 photos for each.
    """
    encoder = _encoder(imageset, split, model, checkpoints, params)
    if (asked := _asked(encoder, params)) is None:
        return Whitening()
    training = split[split["split"] == TRAIN]
    count = min(len(training), asked.photos)
    chosen = training.sample(count, random_state=asked.seed).sort_values("Index")
    settings = asked.model_dump(include={"kind", "dimension", "power"})
    if asked is UNTRAINED:
        if count < 2:
            return Whitening(None, _fitted_with(encoder, params))
        while 1.5 * settings["dimension"] > count:
            settings["dimension"] //= 2
    if asked.kind == "learnt" and chosen["Class"].isna().any():
        raise ValueError("encoding.whitening: learnt needs photos with classes; choose pca")
    blocks = _encoded(encoder, imageset, params, chosen["Index"].to_numpy())
    try:
        projection = fit_whitening(
            np.concatenate(list(blocks)), chosen["Class"].to_numpy(), **settings
        )
    except ValueError as error:
        raise ValueError(f"encoding.whitening: {error}") from error
    return Whitening(projection, _fitted_with(encoder, params))


def encode_images(
    images: Matrix,
    photos: pd.DataFrame,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    whitening: Whitening,
    params: EncodingParams,
) -> MatrixStream:
    """Describe packed images as float32 [n, D] of unit rows.

    Their attributes are `encoder`, its signature with those of whitening and packing, `photos`, the
    digest of the list of photos, `checkpoint`, where the network was taken from, and `untrained`, a
    line for readers if it was not trained on these photos.
    """
    encoder = _encoder(images, photos, model, checkpoints, params)
    if whitening.signature != _fitted_with(encoder, params):
        raise ValueError(
            "the whitening was fitted to another encoder, or with other parameters: run the whole "
            "pipeline encoding"
        )
    blocks = (whitening(block) for block in _encoded(encoder, images, params))
    attributes = {
        "encoder": signature(encoder, whitening, images),
        "photos": images.attributes["photos"],
        "checkpoint": params.checkpoint,
    }
    if note := untrained(encoder.net.provenance):
        attributes["untrained"] = note
    return MatrixStream(blocks, attributes)


def _encoder(
    images: Matrix,
    photos: pd.DataFrame,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    params: EncodingParams,
) -> Encoder:
    """The encoder that is asked for, which suits the images, which are of these photos."""
    if images.attributes.get("photos") != digest(photos):
        raise ValueError(
            f"{images.path.name} was packed from another list of photos than the present one: run "
            "the pipeline data_processing again"
        )
    net = choose_encoder(model, checkpoints, params)
    if images.shape[-1] != net.config.image_size:
        raise ValueError(
            f"the images have {images.shape[-1]} px, the network was trained at "
            f"{net.config.image_size}: train again, or pack with that image_size"
        )
    return Encoder(net, params.scales, params.flip)


def _encoded(
    encoder: Encoder, images: Matrix, params: EncodingParams, rows: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    device = pick_device(params.device)
    return encode(encoder, images, rows=rows, batch_size=params.batch_size, device=device)


def _fitted_with(encoder: Encoder, params: EncodingParams) -> dict[str, Any]:
    """The signature of a whitening for this encoder."""
    asked = _asked(encoder, params)
    return {"encoder": encoder.signature(), "settings": asked.model_dump()} if asked else {}


def _asked(encoder: Encoder, params: EncodingParams) -> WhiteningParams | None:
    if params.whitening is None or params.whitening.kind != "auto":
        return params.whitening
    return UNTRAINED if untrained(encoder.net.provenance) else None
