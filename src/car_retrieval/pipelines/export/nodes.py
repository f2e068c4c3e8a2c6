"""Hand over what a run made, in forms that other tools read."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from car_retrieval import __version__
from car_retrieval.data.embedding_table import TableStream, embedding_table
from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import Matrix
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet, network_of
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.onnx_export import WhitenedEncoder, file_of, largest_angle, to_onnx
from car_retrieval.models.whitening import Whitening
from car_retrieval.params import ExportParams


def export_onnx(
    database: Matrix,
    imageset: Matrix,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    whitening: Whitening,
    params: ExportParams,
) -> bytes:
    """Export the gallery's encoder to ONNX and test it on some of the gallery's photos.

    Its metadata are those of the descriptors, see `about`; and the largest `angle` in degrees
    between its descriptors and PyTorch's, of how many photos that were `tried`.
    """
    own = database.attributes["encoder"]
    if whitening.fingerprint() != own["whitening"]:
        raise ValueError(
            f"{database.path.name} was made with another whitening than the newest: run the "
            "pipeline encoding again"
        )
    net = network_behind(database, model, checkpoints)
    if imageset.shape[-1] != net.config.image_size:
        raise ValueError(
            f"{imageset.path.name} has images of {imageset.shape[-1]} px, the network behind "
            f"{database.path.name} was trained at {net.config.image_size}: train again, or pack "
            "with that image_size"
        )
    encoder = Encoder(net, own["scales"], own["flip"])
    network = WhitenedEncoder(encoder, whitening).eval()
    translated = to_onnx(network)
    tried = np.linspace(0, len(imageset) - 1, min(params.photos, len(imageset)), dtype=int)
    angle = largest_angle(translated, network, imageset[tried])
    if not angle <= params.tolerance:
        raise ValueError(
            f"the ONNX file describes a photo {angle:.2g} degrees from where PyTorch does, more "
            f"than export.tolerance = {params.tolerance:g}"
        )
    return file_of(translated, texts(about(database) | {"tried": len(tried), "angle": angle}))


def tabulate(descriptors: Matrix, photos: pd.DataFrame) -> TableStream:
    """Join photos and descriptors."""
    check_photos(descriptors, photos)
    return embedding_table(photos, descriptors, texts(about(descriptors)))


def check_photos(descriptors: Matrix, photos: pd.DataFrame) -> None:
    """Refuse a list of photos that is not the one described."""
    if descriptors.attributes["photos"] != digest(photos):
        raise ValueError(
            f"{descriptors.path.name} describes another list of photos than the present one: run "
            "the pipeline encoding again"
        )


def about(descriptors: Matrix) -> dict[str, Any]:
    """Of which collection and run descriptors are, and what made them: JSON values."""
    own = descriptors.attributes
    return {
        "collection": descriptors.path.parents[2].name,
        "run": descriptors.path.parent.name,
        "encoder": own["encoder"],
        "photos": own["photos"],
        **({"untrained": own["untrained"]} if "untrained" in own else {}),
        "car_retrieval": __version__,
    }


def texts(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Metadata as files keep them; what is no text becomes JSON."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in metadata.items()
    }


def network_behind(
    descriptors: Matrix, model: DescriptorNet, checkpoints: Mapping[int, Checkpoint]
) -> DescriptorNet:
    """The network that descriptors were made with."""
    checkpoint = descriptors.attributes.get("checkpoint", "best")
    net = model if checkpoint == "best" else network_of(checkpoints[checkpoint])
    if net.fingerprint() != descriptors.attributes["encoder"]["weights"]:
        raise ValueError(
            f"{descriptors.path.name} was made with another network than the newest: run the "
            "pipeline encoding again"
        )
    return net
