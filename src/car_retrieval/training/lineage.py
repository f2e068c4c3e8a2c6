"""Check that results were made of each other.

Packed images and descriptors carry the digest of their list of photos, descriptors also the
signature of their encoder. Each check names what does not belong and how to make it again.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import Matrix
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.models.encoder import network_of_descriptors
from car_retrieval.models.whitening import Whitening
from car_retrieval.training.untrained import untrained

SPLIT = ("Path", "Hash", "Class")


def check_packed(images: Matrix, photos: pd.DataFrame) -> None:
    """Refuse packed images of another list of photos."""
    if images.attributes.get("photos") != digest(photos):
        raise ValueError(
            f"{images.path.name} was packed from another list of photos than the present one: run "
            "the pipeline data_processing again"
        )


def check_described(descriptors: Matrix, photos: pd.DataFrame) -> None:
    """Refuse descriptors of another list of photos."""
    if descriptors.attributes.get("photos") != digest(photos):
        raise ValueError(
            f"{descriptors.path.name} describes another list of photos than the present one: run "
            "the pipeline encoding again"
        )


def check_one_encoder(gallery: Matrix, queries: Matrix) -> None:
    """Refuse descriptors that cannot be compared."""
    encoders = [_encoder(matrix) for matrix in (queries, gallery)]
    if encoders[0] != encoders[1]:
        raise ValueError(
            "queries and gallery were described by different encoders: encode both with one model "
            f"(`kedro run --pipelines=encoding`); {encoders[0]} against {encoders[1]}"
        )


def check_split(split: pd.DataFrame, photos: pd.DataFrame) -> None:
    """Refuse a split of other photos or classes."""
    if digest(split, SPLIT) != digest(photos, SPLIT):
        raise ValueError(
            "split was made from another list of photos or classes than gallery_photos: run the "
            "pipeline data_processing again"
        )


def check_network(
    descriptors: Matrix, model: DescriptorNet, checkpoints: Mapping[int, Checkpoint]
) -> None:
    """Refuse descriptors of another network."""
    net = network_of_descriptors(descriptors, model, checkpoints)
    if net.fingerprint() != _encoder(descriptors).get("weights"):
        raise ValueError(
            f"{descriptors.path.name} was made with another network than the newest: run the "
            "pipeline encoding again"
        )


def check_whitening(descriptors: Matrix, whitening: Whitening) -> None:
    """Refuse descriptors of another whitening."""
    if _encoder(descriptors).get("whitening") != whitening.fingerprint():
        raise ValueError(
            f"{descriptors.path.name} was made with another whitening than the newest: run the "
            "pipeline encoding again"
        )


def check_packing(descriptors: Matrix, images: Matrix) -> None:
    """Refuse descriptors of images that were packed in another way."""
    if _encoder(descriptors).get("packing") != images.attributes.get("packing"):
        raise ValueError(
            f"{descriptors.path.name} was made of images that were packed in another way than "
            f"{images.path.name}: run the pipeline encoding again"
        )


def check_threshold(threshold: Mapping[str, object], descriptors: Matrix) -> None:
    """Refuse a no-match threshold of other descriptors."""
    about = descriptors.attributes
    if any(threshold.get(name) != about.get(name) for name in ("encoder", "photos")):
        raise ValueError(
            f"the scores are of other descriptors than {descriptors.path.name}: run the pipelines "
            "evaluation, searchers, diagnosis and reporting again"
        )


def check_trained_on(model: DescriptorNet, split: pd.DataFrame) -> None:
    """Refuse a split that is not the one that the network was trained on."""
    if untrained(model.provenance):
        return
    if model.provenance["data"] != digest(split, split.columns.tolist()):
        raise ValueError(
            "split is not the one that the network was trained on: run the job again with `kedro "
            "run`"
        )


def _encoder(descriptors: Matrix) -> dict[str, Any]:
    signature: dict[str, Any] = descriptors.attributes.get("encoder") or {}
    return signature
