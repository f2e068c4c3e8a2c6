"""Kedro settings of the project."""

from os.path import expanduser

from omegaconf.resolvers import oc

from car_retrieval.hooks import InputChecks, RunReport

HOOKS = (RunReport(), InputChecks())  # the last one is called first

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft"},
    "custom_resolvers": {"oc.env": oc.env, "home": expanduser},
}
