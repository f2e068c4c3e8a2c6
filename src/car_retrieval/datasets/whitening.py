"""Dataset of a whitening as a safetensors file."""

import json

from safetensors import safe_open
from safetensors.numpy import save_file

from car_retrieval.datasets.preview import JSONPreview
from car_retrieval.datasets.versioned import LocalVersionedDataset
from car_retrieval.io.atomic import atomic
from car_retrieval.models.whitening import Whitening
from car_retrieval.search.pca import PCA


class WhiteningDataset(LocalVersionedDataset):
    """`mean` float32 [D] and `components` float32 [p, D], neither where nothing is whitened."""

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
        """How many dimensions it makes of how many, and what it was fitted with."""
        whitening = self.load()
        shape = None if whitening.projection is None else whitening.projection.components.shape
        return JSONPreview(json.dumps({"components": shape} | whitening.signature))
