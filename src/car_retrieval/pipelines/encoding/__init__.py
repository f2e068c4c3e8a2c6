"""Descriptors of the gallery and of the queries."""

from car_retrieval.pipelines.encoding.pipeline import create_pipeline

__all__ = ["create_pipeline"]
