"""Export: the encoder as ONNX, descriptors as Parquet, a model card."""

from car_retrieval.pipelines.export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
