"""Keep `kedro prune` away while a run needs its results."""

from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl

from car_retrieval.io.run_lock import lock_for_run


class RunLock:
    """Holds the lock of the project from the beginning of a run to its end."""

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Take the lock."""
        self._lock = lock_for_run(Path(run_params["project_path"]))

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Give the lock back."""
        self._lock.release()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Give the lock back."""
        self._lock.release()
