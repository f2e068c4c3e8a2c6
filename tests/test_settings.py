"""Settings of the project: where the results of a folder of one's own photos lie."""

from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader

from car_retrieval.settings import CONFIG_LOADER_ARGS

CONF = Path(__file__).parents[1] / "conf"


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({}, "independent"),
        ({"INDEPENDENT_ROOT": "data/01_raw/independent"}, "independent"),
        ({"INDEPENDENT_ROOT": "/photos/cars"}, "independent-cars"),
        ({"INDEPENDENT_ROOT": "~/my lists/"}, "independent-my lists"),
        ({"INDEPENDENT_ROOT": "/photos/sample"}, "independent-sample"),
        ({"INDEPENDENT_ROOT": "/photos/cars", "INDEPENDENT_NAME": "fleet"}, "fleet"),
    ],
)
def test_each_root_has_results_of_its_own(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    for name in ("INDEPENDENT_ROOT", "INDEPENDENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    catalog = OmegaConfigLoader(str(CONF), env="independent", **CONFIG_LOADER_ARGS)["catalog"]
    assert catalog["summary"]["filepath"] == f"data/08_reporting/{folder}/summary.csv"
