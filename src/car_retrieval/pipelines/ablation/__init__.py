"""Recipes of training against each other."""

from car_retrieval.pipelines.ablation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
