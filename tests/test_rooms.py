"""Rooms of the package: which may import which, so that arrows point one way."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

SRC = Path(__file__).parents[1] / "src"
FLOORS = [  # a room imports itself and rooms on floors below its own
    {"images", "io"},
    {"search", "data", "params"},
    {"models", "metrics"},
    {"training", "explain", "reporting", "sample", "gallery"},
    {"datasets", "pipelines", "hooks"},
    {"settings", "pipeline_registry"},
    {"serving"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
KNOW_KEDRO = {room for rooms in FLOORS[4:] for room in rooms} - {"serving"}


def modules(src: Path = SRC) -> dict[str, Path]:
    """Modules of the package by dotted name; a package is its `__init__`."""
    return {
        ".".join(file.relative_to(src).with_suffix("").parts).removesuffix(".__init__"): file
        for file in src.rglob("*.py")
    }


def imports(code: str) -> Iterator[str]:
    """What a module imports, inside functions too; `a.b.c` of `from a.b import c`."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = modules()
IMPORTS = {name: set(imports(file.read_text())) for name, file in MODULES.items()}


def owner(name: str) -> str | None:
    """The module of the package that holds an imported name; None of other packages."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


OWN = {name: {owner(one) for one in found} - {None, name} for name, found in IMPORTS.items()}


def room(module: str) -> str:
    return module.split(".")[1]


def test_every_module_lies_in_a_room() -> None:
    assert {room(name) for name in MODULES if name != "car_retrieval"} == set(FLOOR)


def test_no_room_imports_one_beside_or_above_it() -> None:
    wrong = [
        f"{name} imports {found}"
        for name in MODULES
        for found in OWN[name] - {"car_retrieval"}
        if room(found) != room(name) and FLOOR[room(found)] >= FLOOR[room(name)]
    ]
    assert not wrong


def test_modules_import_each_other_in_no_circle() -> None:
    TopologicalSorter(OWN).prepare()


def test_the_craft_does_not_know_kedro() -> None:
    knowing = {
        name
        for name, found in IMPORTS.items()
        if any(one.partition(".")[0].startswith("kedro") for one in found)
    }
    wrong = {name for name in knowing if room(name) not in KNOW_KEDRO}
    assert wrong == {"car_retrieval.serving.run_artifacts"}


def test_a_pipeline_takes_another_as_a_whole() -> None:
    """It imports the package for its `create_pipeline`, and no module of it."""
    wrong = [
        f"{name} imports {found}"
        for name in MODULES
        for found in OWN[name]
        if (parts := found.split("."))[1:2] == ["pipelines"] and len(parts) > 3
        if name.split(".")[:3] != parts[:3]
    ]
    assert not wrong
