"""Dataset of a trained descriptor network as one safetensors file."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from car_retrieval.datasets.preview import JSONPreview
from car_retrieval.datasets.versioned import LocalVersionedDataset
from car_retrieval.io.atomic import atomic

if TYPE_CHECKING:
    from car_retrieval.models.descriptor import DescriptorNet

PHOTOS = "photos."


class ModelDataset(LocalVersionedDataset):
    """`DescriptorNet`, with configuration and provenance as JSON in the file's metadata.

    The keys of its training photos are the tensors `photos.train` and `photos.other`.

    The file contains no code, so that loading is safe.
    """

    def save(self, data: "DescriptorNet") -> None:
        """Write the network."""
        from safetensors.torch import save_file

        from car_retrieval.models.checkpoint import tensors_of

        state = {name: value.contiguous() for name, value in data.state_dict().items()}
        if data.photos:
            known = tensors_of(data.photos)
            state |= {PHOTOS + name: keys for name, keys in known.items()}
        about = {"config": asdict(data.config), "provenance": data.provenance}
        metadata = {name: json.dumps(what) for name, what in about.items()}
        with atomic(self.save_path) as part:
            save_file(state, part, metadata=metadata)

    def load(self) -> "DescriptorNet":
        """Read the network, in evaluation mode."""
        from safetensors import safe_open

        from car_retrieval.data.known_photos import KnownPhotos
        from car_retrieval.models.descriptor import DescriptorConfig, restored

        about = self._about()
        with safe_open(self.load_path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        known = {
            name.removeprefix(PHOTOS): state.pop(name).numpy()
            for name in [*state]
            if name.startswith(PHOTOS)
        }
        net = restored(DescriptorConfig(**about["config"]), state)
        net.provenance = about.get("provenance", {})
        net.photos = KnownPhotos(**known) if known else None
        return net

    def preview(self) -> JSONPreview:
        """Show configuration and provenance."""
        return JSONPreview(json.dumps(self._about()))

    def _about(self) -> dict[str, Any]:
        from safetensors import safe_open

        with safe_open(self.load_path, framework="numpy") as file:
            return {name: json.loads(text) for name, text in file.metadata().items()}
