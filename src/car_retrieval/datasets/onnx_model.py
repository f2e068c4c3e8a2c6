"""Networks as ONNX files."""

import json
import os
from typing import TYPE_CHECKING

from car_retrieval.datasets.preview import JSONPreview
from car_retrieval.datasets.versioned import LocalVersionedDataset

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class OnnxModelDataset(LocalVersionedDataset):
    """An `.onnx` file, saved from its bytes, loaded as onnxruntime's session."""

    def save(self, data: bytes) -> None:
        """Write the model."""
        path = self.save_path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        os.replace(part, path)

    def load(self) -> "InferenceSession":
        """Open the model, to run on the CPU."""
        from onnxruntime import InferenceSession

        return InferenceSession(self.load_path, providers=["CPUExecutionProvider"])

    def preview(self) -> JSONPreview:
        """What goes in, what comes out, and the metadata."""
        session = self.load()
        shapes = {
            end.name: f"{end.type} {end.shape}"
            for end in (*session.get_inputs(), *session.get_outputs())
        }
        return JSONPreview(json.dumps(shapes | session.get_modelmeta().custom_metadata_map))
