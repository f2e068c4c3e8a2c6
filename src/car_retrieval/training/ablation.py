"""Comparison of training recipes: parameters and results."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd

from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import Matrix
from car_retrieval.models.descriptor import DescriptorNet, network_of
from car_retrieval.params import AblationParams, TrainingParams
from car_retrieval.params.recipes import changed, fitted
from car_retrieval.training.early_stopping import score_of, stop_early
from car_retrieval.training.losses import build_loss, build_miner, with_memory
from car_retrieval.training.provenance import provenance
from car_retrieval.training.samplers import SAMPLERS
from car_retrieval.training.trainer import Trainer
from car_retrieval.training.validation import Validation

log = logging.getLogger(__name__)

COSTS = ("images", "seconds", "cpu_seconds")
WITHOUT_EFFECT = {"seed", "device", "show_batch", "start_epoch"}
SHOWN_IMAGES = 256  # images per fingerprint
Result = dict[str, Any]
"""Result of one training, as JSON values: see `train`."""


@dataclass(frozen=True)
class Recipe:
    """Training recipe.

    Attributes:
        name: name of the recipe.
        params: training parameters, with any seed.
        data: fingerprint of the training and test data.
        seconds: training time after which no further epoch starts; None: no limit.
    """

    name: str
    params: TrainingParams
    data: str
    seconds: float | None = None

    def made(self, result: Mapping[str, Any]) -> bool:
        """Return whether a result has the same parameters, data and limit, with any seed."""
        try:
            params = TrainingParams.model_validate(result["parameters"])
        except (KeyError, ValueError):  # from a version with other parameters
            return False
        wanted, given = (each.model_dump(exclude=WITHOUT_EFFECT) for each in (self.params, params))
        about = tuple(result[name] for name in ("recipe", "data", "seconds_limit"))
        return given == wanted and about == (self.name, self.data, self.seconds)


def planned(
    labels: np.ndarray, base: TrainingParams, ablation: AblationParams, data: str
) -> dict[str, Recipe]:
    """Build all recipes by name, fitted to the budget: all train on the same number of images.

    Args:
        labels: int64 [n], class numbers of the training photos.
        base: training parameters that the recipes change.
        ablation: recipes and budget.
        data: see `fingerprint`.

    Raises:
        ValueError: a recipe's loss, miner or sampler does not exist or has invalid arguments.
    """
    if base.epochs == 0:
        raise ValueError("training.epochs is 0: an ablation trains, so set it to 1 or more")
    epoch = base.images_per_epoch or base.passes_per_epoch * len(labels)
    images = ablation.budget.images or base.epochs * epoch
    recipes = {}
    for name, changes in ablation.recipes.items():
        params = changed(base, changes).model_copy(update={"start_epoch": -1})
        try:
            _check_names(params, labels)
        except ValueError as error:
            raise ValueError(f"ablation.recipes.{name}: {error}") from None
        params = fitted(params, len(labels), images)
        recipes[name] = Recipe(name, params, data, ablation.budget.seconds)
    return recipes


def train(
    recipe: Recipe,
    seed: int,
    images: Matrix | np.ndarray,
    split: pd.DataFrame,
    pairs: np.ndarray,
    test: Callable[[DescriptorNet], dict[str, float]],
) -> Result:
    """Train a network and evaluate it at its best epoch on the validation photos.

    A non-finite loss ends the training; the result then has no scores.

    Args:
        recipe: recipe to train.
        seed: random seed of weights, batches and augmentation.
        images: uint8 [n, 3, R, R].
        split: Index, Class, split.
        pairs: verification pairs of the validation photos.
        test: function that evaluates the network.

    Returns:
        recipe, seed, seconds_limit, parameters, data, versions: inputs; images, seconds and
        cpu_seconds: totals of all epochs; epoch, valid and test: the best epoch, its report and its
        test scores; history: the report of each epoch.
    """
    params = recipe.params.model_copy(update={"seed": seed})
    trainer = Trainer(images, split, Validation(images, split, pairs, params.k), params)
    score = score_of([f"mAP@{params.k}", "MAP@R"], params.select_by)
    history: list[dict[str, float]] = []
    best: Any = None
    try:
        for checkpoint in stop_early(trainer.epochs(), params.patience, params.select_by):
            history.append(checkpoint["report"])
            if best is None or checkpoint["report"][score] > best["report"][score]:
                best = checkpoint
            if recipe.seconds and sum(epoch["seconds"] for epoch in history) >= recipe.seconds:
                break
    except FloatingPointError as error:
        log.warning("recipe %s, seed %d: %s", recipe.name, seed, error)
        best = None
    return {
        "recipe": recipe.name,
        "seed": seed,
        "seconds_limit": recipe.seconds,
        **{cost: sum(epoch[cost] for epoch in history) for cost in COSTS},
        "epoch": best["report"]["epoch"] if best else None,
        "valid": best["report"] if best else {},
        "test": test(network_of(best).to(trainer.device)) if best else {},
        "history": history,
        **provenance(params, recipe.data),
    }


def fingerprint(*collections: tuple[Matrix | np.ndarray, pd.DataFrame]) -> str:
    """Hash images and their lists: 16 hex digits.

    The hash covers up to 256 evenly spread images of each uint8 [n, 3, R, R], and all columns of
    each list.
    """
    found = blake2b(digest_size=8)
    for images, photos in collections:
        rows = np.unique(np.linspace(0, len(images) - 1, SHOWN_IMAGES, dtype=np.int64))
        found.update(f"{images.shape}{digest(photos, photos.columns.tolist())}".encode())
        found.update(images[rows].tobytes())
    return found.hexdigest()


def _check_names(params: TrainingParams, labels: np.ndarray) -> None:
    classes, dimension = len(np.unique(labels)), params.dimension or 2
    loss = build_loss(params.loss.name, params.loss.args, classes, dimension)
    miner = build_miner(params.miner.name, params.miner.args) if params.miner else None
    if params.memory:
        with_memory(loss, params.memory, dimension, miner)
    sampler, rng = SAMPLERS[params.sampler.name], np.random.default_rng(0)
    next(sampler(labels, params.batch_size, rng, **params.sampler.args))
