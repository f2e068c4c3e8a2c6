"""Training of the descriptor network."""

from car_retrieval.pipelines.training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
