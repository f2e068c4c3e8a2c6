"""Parameters of the pipeline `export`."""

from pydantic import Field

from car_retrieval.params.base import Count, Factor, Params


class ExportParams(Params):
    """What is handed over (`parameters_export.yml`)."""

    photos: Count = Field(32, description="gallery photos that the ONNX file is tried on")
    tolerance: Factor = Field(
        0.01, description="degrees between its descriptors and PyTorch's, at most"
    )
