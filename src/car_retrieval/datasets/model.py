"""A trained descriptor network as one safetensors file."""

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from car_retrieval.datasets.versioned import LocalVersionedDataset

if TYPE_CHECKING:
    from car_retrieval.models.descriptor import DescriptorNet


class ModelDataset(LocalVersionedDataset):
    """Weights and configuration of a `DescriptorNet`; holds no code, so that loading is safe."""

    def save(self, data: "DescriptorNet") -> None:
        """Write the network."""
        from safetensors.torch import save_file

        path = self.save_path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        state = {name: value.contiguous() for name, value in data.state_dict().items()}
        save_file(state, part, metadata={"config": json.dumps(asdict(data.config))})
        os.replace(part, path)

    def load(self) -> "DescriptorNet":
        """Read the network, in evaluation mode."""
        from safetensors import safe_open

        from car_retrieval.models.descriptor import DescriptorConfig, restored

        with safe_open(self.load_path, framework="pt") as file:
            config = DescriptorConfig(**json.loads(file.metadata()["config"]))
            return restored(config, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
