"""Describe a gallery by a pretrained network, ready for search."""

from car_retrieval.pipelines.zero_shot.pipeline import create_pipeline

__all__ = ["create_pipeline"]
