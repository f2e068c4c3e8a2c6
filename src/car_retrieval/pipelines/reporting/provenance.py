"""Provenance of a run's numbers: parameters, data, libraries, machine."""

import json
import os
import platform
import re
from collections.abc import Mapping
from importlib.metadata import requires, version
from typing import Any

from car_retrieval.io.matrix import Matrix
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.models.encoder import network_of_descriptors
from car_retrieval.params import EvaluationParams
from car_retrieval.params.base import dotted


def tell_provenance(
    gallery_descriptors: Matrix,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    params: EvaluationParams,
) -> dict[str, dict[str, str]]:
    """Names and values by group, names dotted as in `kedro run --params`.

    Training comes from the network's provenance, the encoder from the descriptors' attributes.
    """
    about = gallery_descriptors.attributes
    trained = network_of_descriptors(gallery_descriptors, model, checkpoints).provenance
    groups = {
        "Training": dotted("training", trained.get("parameters", {})),
        "Trained with": dotted("", trained.get("versions", {})),
        "Encoder": dotted("", about["encoder"]),
        "Evaluation": dotted("evaluation", params.model_dump(mode="json")),
        "Evaluated with": _libraries().items(),
        "Machine": _machine().items(),
        "Digests": {"split": trained.get("data"), "photos": about["photos"]}.items(),
    }
    return {
        group: {name: _shown(value) for name, value in pairs} for group, pairs in groups.items()
    }


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": platform.machine(),
        "threads": os.cpu_count(),
    }


def _libraries() -> dict[str, Any]:
    """The versions of this package and of what it needs."""
    needed = (line for line in requires("car_retrieval") or () if "extra ==" not in line)
    names = ("car_retrieval", *(re.split(r"[^\w.-]", line)[0] for line in needed))
    return {name: version(name) for name in names}
