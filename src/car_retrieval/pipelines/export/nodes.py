"""Hand over what a run made, in forms that other tools read."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from car_retrieval import __version__
from car_retrieval.data.embedding_table import TableStream, embedding_table
from car_retrieval.io.matrix import Matrix
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.models.encoder import encoder_of
from car_retrieval.models.onnx_export import WhitenedEncoder, file_of, largest_angle, to_onnx
from car_retrieval.models.whitening import Whitening
from car_retrieval.params import ExportParams


def export_onnx(
    gallery_descriptors: Matrix,
    gallery_images: Matrix,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    whitening: Whitening,
    params: ExportParams,
) -> bytes:
    """Export the gallery's encoder to ONNX and test it on some of the gallery's photos.

    Its metadata are those of the descriptors, see `about`; and the largest `angle` in degrees
    between its descriptors and PyTorch's, of how many photos that were `tried`.

    Raises:
        ValueError: the images are of another size than the network's, or the angle is too large.
    """
    encoder = encoder_of(gallery_descriptors, model, checkpoints)
    if gallery_images.shape[-1] != encoder.net.config.image_size:
        raise ValueError(
            f"the images have {gallery_images.shape[-1]} px, the network was trained at "
            f"{encoder.net.config.image_size}: train again, or pack with that image_size"
        )
    network = WhitenedEncoder(encoder, whitening).eval()
    translated = to_onnx(network)
    count = len(gallery_images)
    tried = np.linspace(0, count - 1, min(params.photos, count), dtype=int)
    angle = largest_angle(translated, network, gallery_images[tried])
    if not angle <= params.tolerance:
        raise ValueError(
            f"the ONNX file describes a photo {angle:.2g} degrees from where PyTorch does, more "
            f"than export.tolerance = {params.tolerance:g}"
        )
    facts = about(gallery_descriptors) | {"tried": len(tried), "angle": angle}
    return file_of(translated, texts(facts))


def tabulate(descriptors: Matrix, photos: pd.DataFrame) -> TableStream:
    """Join photos and descriptors."""
    return embedding_table(photos, descriptors, texts(about(descriptors)))


def about(descriptors: Matrix) -> dict[str, Any]:
    """Collection, run and encoder of descriptors, as JSON values."""
    own = descriptors.attributes
    collection, run = descriptors.origin
    return {
        "collection": collection,
        "run": run,
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
