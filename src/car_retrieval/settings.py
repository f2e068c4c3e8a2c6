"""Kedro settings of the project."""

import os
from os.path import expanduser
from pathlib import Path

from omegaconf.resolvers import oc

from car_retrieval.hooks import InputChecks, RunReport
from car_retrieval.hooks.lineage import Lineage
from car_retrieval.hooks.mlflow import Tracking
from car_retrieval.hooks.run_lock import RunLock

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # else that extra phones home

HOOKS = (Tracking(), RunReport(), Lineage(), RunLock(), InputChecks())  # the last is called first


def own_collection(root: str) -> str:
    """Name the results of a folder of photos of one's own: two folders must not share theirs."""
    name = Path(root).expanduser().resolve().name
    return name if name == "independent" else f"independent-{name}"


CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft"},
    "custom_resolvers": {"oc.env": oc.env, "home": expanduser, "own_collection": own_collection},
}
