"""Exact search and its scores."""

from car_retrieval.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
