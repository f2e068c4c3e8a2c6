"""Log parameters, curves, scores and figures to MLflow, where that extra is installed."""

import math
import sys
from collections.abc import Mapping
from numbers import Real
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from car_retrieval.params.base import dotted

PARAMETERS = "params:"


class Tracking:
    """Adds to the MLflow run that kedro-mlflow begins and ends; does nothing without one."""

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Log each parameter by its dotted name."""
        if mlflow := _tracked():
            for name in sorted(pipeline.inputs()):
                if name.startswith(PARAMETERS):
                    group = catalog.load(name)
                    values = group.model_dump() if hasattr(group, "model_dump") else group
                    mlflow.log_params(dict(dotted(name.removeprefix(PARAMETERS), values)))

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Log the epochs, the scores, the tables that compare, the figures and the report."""
        if not (mlflow := _tracked()):
            return
        if dataset_name == "training_history":
            for epoch in data.to_dict("records"):
                mlflow.log_metrics(_numbers("training", epoch), step=int(epoch["epoch"]))
        elif dataset_name.endswith("_metrics"):
            mlflow.log_metrics(_numbers(dataset_name.removesuffix("_metrics"), data))
        elif dataset_name in ("searchers", "ablation_table"):
            mlflow.log_text(data.to_csv(index=False), f"{dataset_name}.csv")
        elif dataset_name == "report":
            mlflow.log_text(data, "report.html")
        elif hasattr(data, "savefig"):
            mlflow.log_figure(data, f"figures/{dataset_name}.png")
        elif dataset_name.endswith("_figures"):
            for name, figure in data.items():
                mlflow.log_figure(figure, f"figures/{dataset_name}/{name}.png")


def _tracked() -> Any:
    """MLflow, if it is installed and a run is open."""
    mlflow = sys.modules.get("mlflow")
    return mlflow if mlflow and mlflow.active_run() else None


def _numbers(prefix: str, values: Mapping[str, Any]) -> dict[str, float]:
    """Metrics that have a value, by names that MLflow takes: without @."""
    return {
        f"{prefix}/{name.replace('@', '_at_')}": float(value)
        for name, value in values.items()
        if isinstance(value, Real) and not math.isnan(value)
    }
