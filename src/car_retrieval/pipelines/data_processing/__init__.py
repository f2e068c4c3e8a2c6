"""Prepare data: photos on disk to packed images and splits."""

from car_retrieval.pipelines.data_processing.pipeline import create_pipeline

__all__ = ["create_pipeline"]
