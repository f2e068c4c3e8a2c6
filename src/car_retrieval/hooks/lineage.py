"""Refuse a run whose inputs were not made of each other."""

from collections.abc import Callable
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

Rule = tuple[str, ...]
"""Datasets: the first was made of the others, or belongs to them."""
LISTS = {"gallery_photos", "query_photos", "split"}  # checked whether a pipeline loads them or not


class Lineage:
    """Checks the results of earlier runs that a pipeline uses, once, as soon as all are there.

    Results that one run makes belong together by themselves.
    """

    def __init__(self) -> None:
        self._missing: dict[Rule, set[str]] = {}

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Check what is there; what this run still makes is checked when it is saved."""
        used, made = pipeline.datasets() | LISTS, pipeline.all_outputs()
        self._catalog = catalog
        self._missing = {
            rule: made.intersection(rule)
            for rule in _rules()
            if used >= set(rule) and not made >= set(rule)
            if not pipeline.datasets().isdisjoint(rule[:1])
            if all(name in made or catalog.exists(name) for name in rule)
        }
        for rule, missing in self._missing.items():
            if not missing:
                self._check(rule)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Check what waited for this dataset."""
        for rule, missing in self._missing.items():
            if dataset_name in missing:
                missing.remove(dataset_name)
                if not missing:
                    self._check(rule)

    def _check(self, rule: Rule) -> None:
        _rules()[rule](*(self._catalog.load(name) for name in rule))


def _rules() -> dict[Rule, Callable[..., Any]]:
    from car_retrieval.training import lineage

    return {
        ("gallery_images", "gallery_photos"): lineage.check_packed,
        ("query_images", "query_photos"): lineage.check_packed,
        ("split", "gallery_photos"): lineage.check_split,
        ("gallery_images", "split"): lineage.check_packed,
        ("gallery_features", "gallery_photos"): lineage.check_described,
        ("query_features", "query_photos"): lineage.check_described,
        ("gallery_descriptors", "gallery_photos"): lineage.check_described,
        ("query_descriptors", "query_photos"): lineage.check_described,
        ("gallery_descriptors", "query_descriptors"): lineage.check_one_encoder,
        ("gallery_descriptors", "model", "checkpoints"): lineage.check_network,
        ("gallery_descriptors", "whitening"): lineage.check_whitening,
        ("gallery_descriptors", "gallery_images"): lineage.check_packing,
        ("model", "split", "params:evaluation"): lineage.check_validation,
        ("model", "query_photos", "params:evaluation"): lineage.check_queries,
        ("no_match_threshold", "gallery_descriptors"): lineage.check_threshold,
    }
