"""What the code imports is declared in pyproject.toml, each in a group that its users install."""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONAL = {"cv2": ["opencv-python-headless"]}  # may not be installed here


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    groups = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][name] for name in extras)]
    return {normalised(re.match(r"[\w.-]+", line)[0]) for group in groups for line in group}


def sources(folder: str) -> Iterator[tuple[Path, str]]:
    for path in (ROOT / folder).rglob("*.py"):
        yield path, path.read_text()
    for path in (ROOT / folder).rglob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        code = "".join("".join(cell["source"]) + "\n" for cell in cells if "outputs" in cell)
        yield path, re.sub(r"^\s*[%!].*$", "", code, flags=re.MULTILINE)


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [str(node.module)]
        yield from (name.partition(".")[0] for name in names)


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("src", ["gpu", "export", "heic", "serve"]),
        ("tests", ["test", "export", "serve", "browser"]),
        ("benchmarks", ["benchmarks"]),
        ("notebooks", []),
    ],
)
def test_every_import_is_declared(folder: str, extras: list[str]) -> None:
    known = declared(*extras)
    distributions = OPTIONAL | packages_distributions()
    own = {"car_retrieval", "tests"} | sys.stdlib_module_names
    own |= {path.stem for path in (ROOT / folder).glob("*.py")}
    found = {(name, path) for path, source in sources(folder) for name in imported(source)}
    assert len(found) > 3
    for name, path in found:
        names = {normalised(one) for one in distributions.get(name, [name])}
        assert name in own or names & known, f"{path} imports {name}, which is not declared"


def test_imports_are_seen() -> None:
    source = "import a.b, c\nfrom d.e import f\nfrom . import g\ndef h():\n    import i"
    assert set(imported(source)) == {"a", "c", "d", "i"}
