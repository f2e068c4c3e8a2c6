"""Figures, picture grids and the report."""

from car_retrieval.pipelines.reporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
