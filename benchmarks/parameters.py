"""Parameters of `conf/base`, changed by name."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from car_retrieval.params import DataParams, TrainingParams

CONF = Path(__file__).parents[1] / "conf" / "base"


def data_params(**changes: Any) -> DataParams:
    """Parameters of data_processing."""
    return DataParams.model_validate(_group("data_processing") | changes)


def training_params(**changes: Any) -> TrainingParams:
    """Parameters of training."""
    return TrainingParams.model_validate(_group("training") | changes)


def _group(name: str) -> dict[str, Any]:
    text = (CONF / f"parameters_{name}.yml").read_text("utf-8")
    values: Any = OmegaConf.to_container(OmegaConf.create(text))
    return values[name]  # type: ignore[no-any-return]
