"""`kedro gallery` in a project of its own, called in this process."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from tests.serving.conftest import ENV, own_project, searchable

from car_retrieval.cli.gallery import command
from car_retrieval.cli.search import command as search_command

__all__ = ["own_project", "searchable"]  # fixtures

TRAINI = Path("data/01_raw/independent/traini")


@pytest.fixture
def here(own_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(own_project)
    monkeypatch.setenv("KEDRO_ENV", ENV)
    return own_project


def gallery(*arguments: str, fails: bool = False, **options: Any) -> Result:
    result = CliRunner().invoke(command, arguments, **options)
    assert result.exit_code == (1 if fails else 0), result.output
    return result


def new_photo(file: Path, seed: int = 100, suffix: str = "JPEG") -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(coarse).resize((90, 70), Image.Resampling.BICUBIC).save(data, suffix)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.getvalue())
    return data.getvalue()


def found(file: Path | str, *options: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(search_command, [str(file), "--json", "--k=3", *options])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["matches"]  # type: ignore[no-any-return]
