"""Lineage checks: which results belong together.

Packed images and descriptors have the digest of their list of photos, descriptors also the
signature of their encoder. Errors name the mismatch and the pipeline to run again.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from car_retrieval.data.fingerprint import digest
from car_retrieval.data.known_photos import KnownPhotos
from car_retrieval.data.splits import TRAIN, VALID
from car_retrieval.io.matrix import Matrix
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.models.encoder import network_of_descriptors
from car_retrieval.models.whitening import Whitening
from car_retrieval.params import EvaluationParams
from car_retrieval.training.untrained import untrained

SPLIT = ("Path", "Hash", "Class")


def check_packed(images: Matrix, photos: pd.DataFrame) -> None:
    """Raise an error if images were packed from another list of photos."""
    if images.attributes.get("photos") != digest(photos):
        raise ValueError(
            f"{images.path.name} was packed from another list of photos than the current one: run "
            "the pipeline data_processing again"
        )


def check_described(descriptors: Matrix, photos: pd.DataFrame) -> None:
    """Raise an error if descriptors are of another list of photos."""
    if descriptors.attributes.get("photos") != digest(photos):
        raise ValueError(
            f"{descriptors.path.name} describes another list of photos than the current one: run "
            "the pipeline encoding again"
        )


def check_one_encoder(gallery: Matrix, queries: Matrix) -> None:
    """Raise an error if gallery and query descriptors are from different encoders."""
    encoders = [_encoder(matrix) for matrix in (queries, gallery)]
    if encoders[0] != encoders[1]:
        raise ValueError(
            "queries and gallery have descriptors of different encoders: run the pipeline encoding "
            f"again (`kedro run --pipelines=encoding`); {encoders[0]} and {encoders[1]}"
        )


def check_split(split: pd.DataFrame, photos: pd.DataFrame) -> None:
    """Raise an error if the split is of other photos or classes."""
    if digest(split, SPLIT) != digest(photos, SPLIT):
        raise ValueError(
            "split was made from another list of photos or classes than gallery_photos: run the "
            "pipeline data_processing again"
        )


def check_network(
    descriptors: Matrix, model: DescriptorNet, checkpoints: Mapping[int, Checkpoint]
) -> None:
    """Raise an error if descriptors are from another network."""
    net = network_of_descriptors(descriptors, model, checkpoints)
    if net.fingerprint() != _encoder(descriptors).get("weights"):
        raise ValueError(
            f"{descriptors.path.name} has another network than the latest: run the "
            "pipeline encoding again"
        )


def check_whitening(descriptors: Matrix, whitening: Whitening) -> None:
    """Raise an error if descriptors have another whitening."""
    if _encoder(descriptors).get("whitening") != whitening.fingerprint():
        raise ValueError(
            f"{descriptors.path.name} has another whitening than the latest: run the "
            "pipeline encoding again"
        )


def check_packing(descriptors: Matrix, images: Matrix) -> None:
    """Raise an error if descriptors are of images with other packing settings."""
    if _encoder(descriptors).get("packing") != images.attributes.get("packing"):
        raise ValueError(
            f"{descriptors.path.name} is from images with other packing settings than "
            f"{images.path.name}: run the pipeline encoding again"
        )


def check_threshold(threshold: Mapping[str, object], descriptors: Matrix) -> None:
    """Raise an error if a no-match threshold is of other descriptors."""
    about = descriptors.attributes
    if any(threshold.get(name) != about.get(name) for name in ("encoder", "photos")):
        raise ValueError(
            f"the scores are from other descriptors than {descriptors.path.name}: run the "
            "pipelines evaluation, searchers, diagnosis and reporting again"
        )


def check_validation(
    model: DescriptorNet, split: pd.DataFrame, evaluation: EvaluationParams
) -> None:
    """Raise an error if the network was trained on photos that validate.

    Of a network of an older version, which does not know its photos: if the split is another one.
    """
    if untrained(model.provenance):
        return
    if model.photos is None:
        if model.provenance["data"] != digest(split, split.columns.tolist()):
            raise ValueError(
                "the network was trained on another split than the current one: run everything "
                "again with `kedro run`"
            )
        return
    _refuse_trained(model.photos, split[split["split"] == VALID], "validation photos", evaluation)


def check_queries(
    model: DescriptorNet, query_photos: pd.DataFrame, evaluation: EvaluationParams
) -> None:
    """Raise an error if the network was trained on query photos."""
    if model.photos is not None:
        _refuse_trained(model.photos, query_photos, "query photos", evaluation)


def _refuse_trained(
    known: KnownPhotos, photos: pd.DataFrame, kind: str, evaluation: EvaluationParams
) -> None:
    trained = photos.loc[known.roles(photos["Hash"]) == TRAIN, "Path"]
    if len(trained) and evaluation.trained_queries == "refuse":
        raise ValueError(
            f"the network was trained on {len(trained)} of the {len(photos)} {kind} (the first: "
            f"{trained.iloc[0]}), which are not to be scored: train again with `kedro run`, or "
            "count them with --params=evaluation.trained_queries=mark"
        )


def _encoder(descriptors: Matrix) -> dict[str, Any]:
    signature: dict[str, Any] = descriptors.attributes.get("encoder") or {}
    return signature
