"""Kedro hooks: check inputs before a run; report scores, seconds, memory and paths after it."""

import time
from collections import defaultdict
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from car_retrieval.io.memory import MemoryWatch, keep_freed_memory, return_freed_memory

STAGES = (
    *("sample_data", "data_processing", "training", "encoding", "evaluation", "searchers"),
    *("diagnosis", "reporting", "ablation", "export"),
)


class InputChecks:
    """Stops a run that cannot go well before any work."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check the parameters, and prepare for networks that run on the CPU."""
        keep_freed_memory()
        from car_retrieval.params.validation import check_parameters

        check_parameters(context.config_loader["parameters"])

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        """Look for datasets of old names."""
        from car_retrieval.hooks.input_check import refuse_old_names

        refuse_old_names(conf_catalog)

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Look for what the pipeline loads."""
        from car_retrieval.hooks.input_check import require_results

        require_results(catalog, pipeline.inputs())


class RunReport:
    """Prints one table when a run ends."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._peak: dict[str, int] = defaultdict(int)
        self._stage: str | None = None
        self._since = 0.0
        self._watch: MemoryWatch | None = None

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Begin to watch."""
        self._begin()
        self._watch = MemoryWatch()

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Charge what passed since the last node to that node's stage."""
        self._close_stage()
        stage = next((tag for tag in STAGES if tag in node.tags), None)
        if stage != self._stage:
            return_freed_memory()
        self._stage = stage

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Watch no more."""
        if self._watch:
            self._watch.stop()

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print what was measured."""
        self._close_stage()
        if self._watch:
            self._watch.stop()
        from car_retrieval.hooks.run_summary import print_run

        stages = [stage for stage in STAGES if stage in self._seconds]
        seconds = {stage: self._seconds[stage] for stage in stages}
        print_run(pipeline, catalog, seconds, dict(self._peak))

    def _close_stage(self) -> None:
        now = time.perf_counter()
        peak = self._watch.reset() if self._watch else 0
        if self._stage:
            self._seconds[self._stage] += now - self._since
            self._peak[self._stage] = max(self._peak[self._stage], peak)
        self._since = now
