"""Describe photos, and whiten their descriptors."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from car_retrieval.data.splits import TRAIN, VALID
from car_retrieval.io.matrix import Matrix, MatrixStream
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet, pick_device
from car_retrieval.models.encoder import Encoder, encode, network_at, with_features
from car_retrieval.models.whitening import Whitening, fit_whitening
from car_retrieval.params import EncodingParams, WhiteningParams
from car_retrieval.params.encoding import FeatureLayers
from car_retrieval.training.untrained import untrained

log = logging.getLogger(__name__)

BLOCK = 16_384  # rows whitened at a time
UNTRAINED = WhiteningParams(kind="pca", dimension=256, power=0.5)
"""Kind `auto` of an untrained network: measured in docs/benchmarks/zero_shot.md."""
KNOWN = WhiteningParams(kind="learnt", dimension="classes", power=0.9)
KNOWN_LAYERS = KNOWN.model_copy(update={"dimension": "twice_classes"})
UNKNOWN = WhiteningParams(kind="learnt", power=0.5)
"""Kind `auto` if training classes validate, of the layers before the head, and if others do."""
TIMES = {"classes": 1, "twice_classes": 2}
MULTIPLE = 64  # of which these keep dimensions: the sizes of product quantisers divide it
PHOTOS = 4  # training photos a dimension that `auto` needs: fewer cost R@1
PHOTOS_OF_A_CLASS = 16  # and of each class, on average, to describe by the layers before the head


def encode_images(
    images: Matrix,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    split: pd.DataFrame,
    params: EncodingParams,
) -> MatrixStream:
    """Describe packed images as float32 [n, D] of unit rows, not whitened.

    Their attributes are `encoder`, its signature with that of packing; `photos`, the digest of the
    list of photos; `checkpoint`, where the network was taken from; and `untrained`, a line for
    readers if it was not trained on these photos.
    """
    net = network_at(params.checkpoint, model, checkpoints)
    net = with_features(net, _features(net, split, params))
    if images.shape[-1] != net.config.image_size:
        raise ValueError(
            f"the images have {images.shape[-1]} px, the network was trained at "
            f"{net.config.image_size}: train again, or pack with that image_size"
        )
    encoder = Encoder(net, params.scales, params.flip)
    device = pick_device(params.device)
    blocks = encode(encoder, images, batch_size=params.batch_size, device=device)
    attributes = {
        "encoder": encoder.signature() | {"packing": images.attributes.get("packing")},
        "photos": images.attributes["photos"],
        "checkpoint": params.checkpoint,
    }
    if note := untrained(net.provenance):
        attributes["untrained"] = note
    return MatrixStream(blocks, attributes)


def learn_whitening(features: Matrix, split: pd.DataFrame, params: EncodingParams) -> Whitening:
    """Fit a whitening to a sample of the training photos, if one is asked for."""
    if params.whitening is None:
        return Whitening()
    asked, signature = params.whitening, _fitted_to(features, params)
    training = split[split["split"] == TRAIN]
    count = min(len(training), asked.photos)
    chosen = training.sample(count, random_state=asked.seed).sort_values("Index")
    if asked.kind == "auto":
        choice = _automatic(features, split, chosen)
        if choice is None:
            return Whitening(None, signature)
        asked = choice
    if asked.kind == "learnt" and chosen["Class"].isna().any():
        raise ValueError("encoding.whitening: learnt needs photos with classes; choose pca")
    settings = asked.model_dump(include={"kind", "power"})
    settings["dimension"] = _filled(_dimension(asked, features, chosen), features, len(chosen))
    vectors = features[chosen["Index"].to_numpy()]
    try:
        projection = fit_whitening(vectors, chosen["Class"].to_numpy(), **settings)
    except ValueError as error:
        raise ValueError(f"encoding.whitening: {error}") from error
    return Whitening(projection, signature)


def whiten(features: Matrix, whitening: Whitening, params: EncodingParams) -> MatrixStream:
    """Whiten features to the descriptors that are searched, float32 [n, D] of unit rows.

    Their attributes are those of the features, the whitening's fingerprint added to `encoder`.
    """
    if whitening.signature != _fitted_to(features, params):
        raise ValueError(
            "the whitening was fitted to another encoder, or with other parameters: run the whole "
            "pipeline encoding"
        )
    about = features.attributes
    about["encoder"] |= {"whitening": whitening.fingerprint()}
    return MatrixStream((whitening(block) for block in features.blocks(BLOCK)), about)


def _features(net: DescriptorNet, split: pd.DataFrame, params: EncodingParams) -> FeatureLayers:
    """Choose the layers to describe photos by; `auto`: the head unless whitening can replace it.

    An untrained network has no head, and is described as it is. With fewer photos of a class the
    head finds more: docs/benchmarks/after_training.md.
    """
    if params.features != "auto":
        return params.features
    if not net.config.projection:
        return "head"
    training, valid = (split.loc[split["split"] == side, "Class"] for side in (TRAIN, VALID))
    enough = len(training) >= max(PHOTOS * 2 * MULTIPLE, PHOTOS_OF_A_CLASS * training.nunique())
    return "stage" if params.whitening and enough and valid.isin(training).any() else "head"


def _automatic(
    features: Matrix, split: pd.DataFrame, training: pd.DataFrame
) -> WhiteningParams | None:
    """What suits the network and the photos; None: no whitening.

    Of an untrained network it keeps fewer dimensions if there are less than 1.5 photos for each.
    There is none below 96 photos: 12 to 48 photos of cars lost 1 to 4 points of R@1 by it.

    The layers before the head keep twice as many dimensions as classes, if there are photos enough:
    docs/benchmarks/after_training.md.
    """
    if "untrained" in features.attributes:
        dimension = 256
        while 1.5 * dimension > len(training) and dimension >= MULTIPLE:
            dimension //= 2
        few = dimension < MULTIPLE
        return None if few else UNTRAINED.model_copy(update={"dimension": dimension})
    valid = split.loc[split["split"] == VALID, "Class"]
    choices = [UNKNOWN]
    if valid.isin(training["Class"]).any():
        head = features.attributes["encoder"].get("projection", True)
        choices = [KNOWN] if head else [KNOWN_LAYERS, KNOWN]
    for choice in choices if training["Class"].duplicated().any() else []:
        if len(training) >= PHOTOS * (_dimension(choice, features, training) or features.shape[1]):
            return choice
    return None


def _dimension(asked: WhiteningParams, features: Matrix, training: pd.DataFrame) -> int | None:
    """Components to keep; None: all."""
    if not isinstance(asked.dimension, str):
        return asked.dimension
    classes = TIMES[asked.dimension] * training["Class"].nunique()
    wanted = MULTIPLE * math.ceil(classes / MULTIPLE)
    return min(features.shape[1], wanted)


def _filled(dimension: int | None, features: Matrix, photos: int) -> int | None:
    """The dimension that so many photos can fill: a power of two below their number."""
    wanted = dimension or features.shape[1]
    if wanted < photos:
        return dimension
    filled = min(wanted, 2 ** max(0, (photos - 1).bit_length() - 1))
    log.warning(
        "encoding.whitening: %d dimensions for %d training photos instead of %d",
        *(filled, photos, wanted),
    )
    return filled


def _fitted_to(features: Matrix, params: EncodingParams) -> dict[str, Any]:
    """The signature of a whitening of these features."""
    if params.whitening is None:
        return {}
    encoder = features.attributes["encoder"]
    return {"encoder": encoder, "settings": params.whitening.model_dump()}
