"""Writes docs/parameters.md: `python -m car_retrieval.params > docs/parameters.md`."""

import json
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from omegaconf import OmegaConf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from car_retrieval.params import GROUPS

HEAD = """# Parameters

Made by `python -m car_retrieval.params > docs/parameters.md` from `src/car_retrieval/params` and
`conf/base`. How to change them: [Running](running.md#parameters).
"""
BOUNDS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}", "min_length": "at least {}"}


def parameters_page(conf: Path) -> str:
    """The Markdown page: a table a group.

    Args:
        conf: folder of `parameters_<group>.yml`, whose values and comments are shown.
    """
    parts = [HEAD]
    for group, model in GROUPS.items():
        text = (conf / f"parameters_{group}.yml").read_text("utf-8")
        values: Any = OmegaConf.to_container(OmegaConf.create(text))
        comments = _comments(text)
        parts.append(
            f"\n## {group}\n{model.__doc__}\n\n"
            "| parameter | type | in conf/base | meaning |\n|---|---|---|---|\n"
        )
        parts += [
            f"| `{name}` | {_cell(kind)} | {_cell(value)} | {_cell(meaning)} |\n"
            for name, kind, value, meaning in _rows(model, values[group], comments, group)
        ]
    return "".join(parts)


def _rows(
    model: type[BaseModel], values: Mapping[str, Any], comments: dict[str, str], prefix: str
) -> Iterator[tuple[str, str, str, str]]:
    for name, field in model.model_fields.items():
        path = f"{prefix}.{name}"
        missing = field.is_required() and name not in values
        default = None if missing else values.get(name, field.get_default())
        meaning = field.description or comments.get(path, "")
        yield (
            path.partition(".")[2],
            _type_of(field),
            "needed" if missing else _shown(default),
            meaning,
        )
        inner = default.model_dump() if isinstance(default, BaseModel) else default
        for kind, named in _models(field.annotation):
            given = {} if named or not isinstance(inner, Mapping) else inner
            yield from _rows(kind, given, comments, f"{path}.<name>" if named else path)


def _models(kind: Any, named: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    """The parameter groups within a type, and whether they stand below names of the user's."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind, named
    for inner in get_args(kind):
        yield from _models(inner, named or get_origin(kind) is dict)


def _type_of(field: FieldInfo) -> str:
    bounds = [
        text.format(value)
        for constraint in field.metadata
        for name, text in BOUNDS.items()
        if (value := getattr(constraint, name, None)) is not None
    ]
    return ", ".join([_named(field.annotation), *bounds])


def _named(kind: Any) -> str:
    """A type in words: `integer ≥ 1 or null`."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind in (None, type(None)):
        return "null"
    if origin is Annotated:
        bounds = [
            text.format(value)
            for constraint in inner[1:]
            for each in (constraint, *getattr(constraint, "metadata", ()))
            for name, text in BOUNDS.items()
            if (value := getattr(each, name, None)) is not None
        ]
        return ", ".join([_named(inner[0]), *bounds])
    if origin in (Union, types.UnionType):
        return " or ".join(map(_named, inner))
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin is list:
        return f"list of {_named(inner[0])}"
    if origin is tuple:
        return " and ".join(map(_named, inner))
    if origin is dict:
        return f"by name: {_named(inner[1])}"
    names = {int: "integer", float: "number", str: "text", bool: "true, false", Any: "anything"}
    return names.get(kind) or re.sub("(Params)$", "", kind.__name__)


def _shown(value: Any) -> str:
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping) and len(value) > 2:
        return ", ".join(value)
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _comments(text: str) -> dict[str, str]:
    """What stands behind each value of a parameter file, by dotted name."""
    found: dict[str, str] = {}
    above: list[str] = []
    for line in text.splitlines():
        if key := re.match(r"( *)([\w]+):", line):
            above = [*above[: len(key[1]) // 2], key[2]]
            _, mark, comment = line.partition(" # ")
            if mark:
                found[".".join(above)] = comment.strip()
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    print(parameters_page(Path("conf/base")), end="")
