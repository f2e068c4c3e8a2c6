"""Dataset of the results of many runs: one JSON file each, written immediately."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from car_retrieval.io.atomic import atomic

Result = dict[str, Any]


class RunResultsDataset(AbstractDataset[Iterable[Result], dict[str, Result]]):
    """Folder of results, named by their fields `recipe` and `seed`.

    It has no versions: interrupted and later runs add to it and replace results of the same name.

    Args:
        filepath: path of the folder, which may not exist yet.
        metadata: ignored by Kedro, read by plugins.
    """

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self.metadata = metadata
        self._folder = Path(filepath).expanduser()

    def save(self, data: Iterable[Result]) -> None:
        """Write each result as soon as it is yielded."""
        for result in data:
            file = self._folder / f"{result['recipe']}-{result['seed']}.json"
            with atomic(file) as part:
                part.write_text(json.dumps(result, indent=2), encoding="utf-8")

    def load(self) -> dict[str, Result]:
        """Read all results, by name."""
        files = sorted(self._folder.glob("*.json"))
        return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}

    def _exists(self) -> bool:
        return any(self._folder.glob("*.json"))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._folder)}
