"""Parameters of the pipeline `export`."""

from pydantic import Field

from car_retrieval.params.base import Count, Factor, Params


class ExportParams(Params):
    """Exported files (`parameters_export.yml`)."""

    photos: Count = Field(description="gallery photos to check the ONNX file on")
    tolerance: Factor = Field(
        description="largest angle between ONNX and PyTorch descriptors, in degrees"
    )
