"""Draws the sample: a miniature CompCars in its true form."""

from car_retrieval.pipelines.sample_data.pipeline import create_pipeline

__all__ = ["create_pipeline"]
