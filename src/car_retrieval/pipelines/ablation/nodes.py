"""Train by each recipe, tabulate and draw what came of it."""

import logging
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from car_retrieval.data.fingerprint import digest
from car_retrieval.data.protocols import labels_of
from car_retrieval.data.splits import TRAIN
from car_retrieval.io.matrix import Matrix
from car_retrieval.params import AblationParams, EvaluationParams, TrainingParams
from car_retrieval.reporting import ablation as drawing
from car_retrieval.training import ablation as craft
from car_retrieval.training.ablation import Recipe, Result
from car_retrieval.training.evaluator import QueryTest

log = logging.getLogger(__name__)


def plan_recipes(
    imageset: Matrix,
    split: pd.DataFrame,
    test_image: Matrix,
    test_index: pd.DataFrame,
    training: TrainingParams,
    ablation: AblationParams,
    evaluation: EvaluationParams,
) -> dict[str, Recipe]:
    """Check every recipe, and fit it to the budget."""
    for images, photos in ((imageset, split), (test_image, test_index)):
        if images.attributes.get("photos") != digest(photos):
            raise ValueError(
                f"{images.path.name} was packed from another list of photos than the present one: "
                "run the pipeline data_processing again"
            )
    classes = split.loc[split["split"] == TRAIN, "Class"]
    labels = np.unique(classes, return_inverse=True)[1]
    data = craft.fingerprint((imageset, split), (test_image, test_index))
    if evaluation.search_in == "queries":
        data += " leave one out"  # other scores of the same photos
    return craft.planned(labels, training, ablation, data)


def run_recipes(
    recipes: Mapping[str, Recipe],
    previous: Mapping[str, Result],
    imageset: Matrix,
    split: pd.DataFrame,
    valid_pairs: Matrix,
    test_image: Matrix,
    test_index: pd.DataFrame,
    ablation: AblationParams,
    evaluation: EvaluationParams,
) -> Iterator[Result]:
    """Train by each recipe with each seed, all recipes with the first seed first.

    Args:
        recipes: how to train.
        previous: results by name; those of the same recipe, seed and data are not made again.
        imageset: packed gallery images.
        split: which of them train and which validate.
        valid_pairs: verification pairs.
        test_image: packed query images.
        test_index: their list.
        ablation: seeds, and which recipes to train.
        evaluation: says whether test queries search the gallery, or each other.

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
    k = next(iter(recipes.values())).params.k
    each_other = evaluation.search_in == "queries"
    test = QueryTest(test_image, labels_of(test_index), imageset, labels_of(split), k, each_other)

    def results() -> Iterator[Result]:
        log.info("ablation: %d runs, %d of them done before", len(runs), len(runs) - len(missing))
        for count, (name, seed) in enumerate(missing, start=1):
            log.info("recipe %s, seed %d: run %d of %d", name, seed, count, len(missing))
            yield craft.train(recipes[name], seed, imageset, split, valid_pairs[:], test)

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
