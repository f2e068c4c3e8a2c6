"""Compressed indexes beside exact search, and the index to search with."""

from car_retrieval.pipelines.searchers.pipeline import create_pipeline

__all__ = ["create_pipeline"]
