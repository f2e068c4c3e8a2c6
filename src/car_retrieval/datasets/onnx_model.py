"""Dataset of networks as ONNX files."""

import json
from typing import TYPE_CHECKING

from car_retrieval.datasets.preview import JSONPreview
from car_retrieval.datasets.versioned import LocalVersionedDataset
from car_retrieval.io.atomic import atomic

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class OnnxModelDataset(LocalVersionedDataset):
    """`.onnx` file, saved from its bytes, loaded as an onnxruntime session."""

    def save(self, data: bytes) -> None:
        """Write the model."""
        with atomic(self.save_path) as part:
            part.write_bytes(data)

    def load(self) -> "InferenceSession":
        """Open the model on the CPU."""
        from onnxruntime import InferenceSession

        return InferenceSession(self.load_path, providers=["CPUExecutionProvider"])

    def preview(self) -> JSONPreview:
        """Show inputs, outputs and metadata."""
        session = self.load()
        shapes = {
            end.name: f"{end.type} {end.shape}"
            for end in (*session.get_inputs(), *session.get_outputs())
        }
        return JSONPreview(json.dumps(shapes | session.get_modelmeta().custom_metadata_map))
