"""Train by each recipe, tabulate and draw what came of it."""

import logging
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from car_retrieval.data.protocols import labels_of
from car_retrieval.data.splits import TRAIN
from car_retrieval.io.matrix import Matrix
from car_retrieval.params import AblationParams, EvaluationParams, TrainingParams
from car_retrieval.reporting import ablation as drawing
from car_retrieval.training import ablation as craft
from car_retrieval.training.ablation import Recipe, Result
from car_retrieval.training.evaluator import NetworkEvaluator

log = logging.getLogger(__name__)


def plan_recipes(
    gallery_images: Matrix,
    split: pd.DataFrame,
    query_images: Matrix,
    query_photos: pd.DataFrame,
    training: TrainingParams,
    ablation: AblationParams,
    evaluation: EvaluationParams,
) -> dict[str, Recipe]:
    """Check every recipe, and fit it to the budget."""
    classes = split.loc[split["split"] == TRAIN, "Class"]
    labels = np.unique(classes, return_inverse=True)[1]
    data = craft.fingerprint((gallery_images, split), (query_images, query_photos))
    if evaluation.search_in == "queries":
        data += " leave one out"  # other scores of the same photos
    return craft.planned(labels, training, ablation, data)


def make_evaluator(
    query_images: Matrix,
    query_photos: pd.DataFrame,
    gallery_images: Matrix,
    split: pd.DataFrame,
    training: TrainingParams,
    evaluation: EvaluationParams,
) -> NetworkEvaluator:
    """Make what scores a network: query photos search the gallery, or each other."""
    labels = labels_of(query_photos), labels_of(split)
    own = evaluation.search_in == "queries"
    return NetworkEvaluator(query_images, labels[0], gallery_images, labels[1], training.k, own)


def run_recipes(
    recipes: Mapping[str, Recipe],
    previous: Mapping[str, Result],
    gallery_images: Matrix,
    split: pd.DataFrame,
    valid_pairs: Matrix,
    evaluator: NetworkEvaluator,
    ablation: AblationParams,
) -> Iterator[Result]:
    """Train by each recipe with each seed, all recipes with the first seed first.

    Args:
        recipes: how to train.
        previous: results by name; those of the same recipe, seed and data are not made again.
        gallery_images: packed gallery images.
        split: which of them train and which validate.
        valid_pairs: verification pairs.
        evaluator: scores the best network of each run on the query photos.
        ablation: seeds, and which recipes to train.

    Returns:
        A generator of the results that were missing.
    """
    seeds = range(ablation.seed, ablation.seed + ablation.runs)
    runs = [(name, seed) for seed in seeds for name in ablation.only or recipes]
    missing = [
        (name, seed)
        for name, seed in runs
        if not any(
            result["seed"] == seed and recipes[name].made(result) for result in previous.values()
        )
    ]

    def results() -> Iterator[Result]:
        log.info("ablation: %d runs, %d of them done before", len(runs), len(runs) - len(missing))
        for count, (name, seed) in enumerate(missing, start=1):
            log.info("recipe %s, seed %d: run %d of %d", name, seed, count, len(missing))
            yield craft.train(recipes[name], seed, gallery_images, split, valid_pairs[:], evaluator)

    return results()


def tabulate(
    recipes: Mapping[str, Recipe], runs: Mapping[str, Result], ablation: AblationParams
) -> tuple[pd.DataFrame, Figure, Figure]:
    """Compare all finished runs of the present recipes and data.

    Returns:
        A row a recipe, the best first; its learning curves; and its scores with their spread.
    """
    finished = [
        run for run in runs.values() if (recipe := recipes.get(run["recipe"])) and recipe.made(run)
    ]
    k = next(iter(recipes.values())).params.k
    table = drawing.recipe_table(finished, ablation.baseline, k)
    return (
        table,
        drawing.learning_curves(finished, table, ablation.baseline, k),
        drawing.score_dots(finished, table, k),
    )
