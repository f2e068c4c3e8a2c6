"""Encode a collection."""

from collections.abc import Mapping

from car_retrieval.matrix import Matrix, MatrixStream
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet, network_of, pick_device
from car_retrieval.models.encoder import encode
from car_retrieval.params import EncodingParams


def encode_images(
    images: Matrix,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    params: EncodingParams,
) -> MatrixStream:
    """Describe packed images as float32 [n, D] of unit rows, with the encoder's signature."""
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
    return MatrixStream(blocks, encoder.signature(params.scales))


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
