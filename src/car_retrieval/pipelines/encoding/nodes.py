"""Encode a collection."""

from collections.abc import Mapping

import pandas as pd

from car_retrieval.listing import digest
from car_retrieval.matrix import Matrix, MatrixStream
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet, network_of, pick_device
from car_retrieval.models.encoder import encode
from car_retrieval.params import EncodingParams


def encode_images(
    images: Matrix,
    photos: pd.DataFrame,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    params: EncodingParams,
) -> MatrixStream:
    """Describe packed images as float32 [n, D] of unit rows.

    Their attributes are `encoder`, its signature, and `photos`, the digest of the list of photos.
    """
    described = images.attributes.get("photos")
    if described != digest(photos):
        raise ValueError(
            f"{images.path.name} was packed from another list of photos than the present one: run "
            "the pipeline data_processing again"
        )
    encoder = choose_encoder(model, checkpoints, params)
    if images.shape[-1] != encoder.config.image_size:
        raise ValueError(
            f"the images have {images.shape[-1]} px, the network was trained at "
            f"{encoder.config.image_size}: train again, or pack with that image_size"
        )
    blocks = encode(
        encoder,
        images,
        scales=params.scales,
        batch_size=params.batch_size,
        device=pick_device(params.device),
    )
    attributes = {"encoder": encoder.signature(params.scales), "photos": described}
    return MatrixStream(blocks, attributes)


def choose_encoder(
    model: DescriptorNet, checkpoints: Mapping[int, Checkpoint], params: EncodingParams
) -> DescriptorNet:
    """The network to encode with: the best one, or that of the chosen epoch."""
    if params.checkpoint == "best":
        return model
    if params.checkpoint not in checkpoints:
        found = ", ".join(map(str, checkpoints))
        raise ValueError(
            f"encoding.checkpoint = {params.checkpoint}: there are checkpoints of epochs {found}"
        )
    return network_of(checkpoints[params.checkpoint])
