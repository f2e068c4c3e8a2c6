"""Confusions, attributes, descriptor map and no-match threshold."""

from car_retrieval.pipelines.diagnosis.pipeline import create_pipeline

__all__ = ["create_pipeline"]
