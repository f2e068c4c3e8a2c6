"""Dataset of descriptor whitenings as safetensors files."""

import json

from safetensors import safe_open
from safetensors.numpy import save_file

from car_retrieval.datasets.preview import JSONPreview
from car_retrieval.datasets.versioned import LocalVersionedDataset
from car_retrieval.io.atomic import atomic
from car_retrieval.models.whitening import Whitening
from car_retrieval.search.pca import PCA


class WhiteningDataset(LocalVersionedDataset):
    """`mean` float32 [D] and `components` float32 [p, D]; empty for no whitening."""

    def save(self, data: Whitening) -> None:
        """Write the whitening."""
        arrays = {} if data.projection is None else vars(data.projection)
        with atomic(self.save_path) as part:
            save_file(arrays, part, metadata={"signature": json.dumps(data.signature)})

    def load(self) -> Whitening:
        """Read the whitening."""
        with safe_open(self.load_path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            signature = json.loads(file.metadata()["signature"])
        return Whitening(PCA(**arrays) if arrays else None, signature)

    def preview(self) -> JSONPreview:
        """Show the dimensions and the signature of the fit."""
        whitening = self.load()
        shape = None if whitening.projection is None else whitening.projection.components.shape
        return JSONPreview(json.dumps({"components": shape} | whitening.signature))
