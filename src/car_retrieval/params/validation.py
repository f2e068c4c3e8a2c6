"""Validation of all parameters before a run; one error message names every mistake."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from car_retrieval.params import GROUPS, AblationParams, TrainingParams
from car_retrieval.params.recipes import changed

RENAMED = {
    "data_processing.crop_to_box": "now data_processing.crop: box for true, none for false",
    "evaluation.reranking.expansion.queries": "now evaluation.reranking.query_k",
    "evaluation.reranking.expansion.gallery": "now evaluation.reranking.database_k",
}


def check_parameters(given: Mapping[str, Any]) -> None:
    """Reject unknown groups and names, and values out of bounds.

    Args:
        given: values by group, merged from files and command line.

    Raises:
        ValueError: lists each wrong parameter, with the closest known name.
    """
    mistakes = [mistake for group in given for mistake in _mistakes(group, given[group])]
    if not mistakes and "ablation" in given:
        mistakes = list(_mistakes_of_recipes(given.get("training", {}), given["ablation"]))
    wrong = [f"{name}: {what}" for name, what in mistakes]
    if wrong:
        raise ValueError("parameters: " + "; ".join(wrong))


def _mistakes(group: str, values: Any) -> Iterator[tuple[str, str]]:
    if group not in GROUPS:
        for name in _leaves(group, values):
            yield name, _unknown(name)
        return
    try:
        GROUPS[group].model_validate(values)
    except ValidationError as error:
        yield from _described(group, error)


def _mistakes_of_recipes(training: Any, ablation: Any) -> Iterator[tuple[str, str]]:
    base = TrainingParams.model_validate(training)
    for name, changes in AblationParams.model_validate(ablation).recipes.items():
        try:
            changed(base, changes)
        except ValidationError as error:
            for wrong, what in _described("training", error):
                yield f"ablation.recipes.{name}{wrong.removeprefix('training')}", what


def _described(group: str, error: ValidationError) -> Iterator[tuple[str, str]]:
    for mistake in error.errors():
        name = ".".join(map(str, (group, *mistake["loc"])))
        if mistake["type"] == "extra_forbidden":
            yield name, RENAMED.get(name) or _unknown(name)
        else:
            yield name, mistake["msg"].removeprefix("Value error, ")


def _leaves(name: str, value: Any) -> Iterator[str]:
    """Yield the dotted names of the values of nested dictionaries."""
    if isinstance(value, Mapping) and value:
        for inner, content in value.items():
            yield from _leaves(f"{name}.{inner}", content)
    else:
        yield name


def _unknown(name: str) -> str:
    """Build the message for an unknown name, with a suggestion, first from the same group."""
    group, _, _ = name.partition(".")
    for groups in ([group] if group in GROUPS else [], GROUPS):
        last = {path: path.rpartition(".")[2] for each in groups for path in _names(each)}
        alike = get_close_matches(name.rpartition(".")[2], sorted(set(last.values())), 1, 0.75)
        meant = [path for path in last if last[path] in alike]
        if "." in name:
            meant = get_close_matches(name, meant, n=1, cutoff=0)
        if meant:
            return f"unknown; did you mean {' or '.join(meant)}?"
    return "unknown"


def _names(group: str) -> Iterator[str]:
    yield group
    yield from _fields(group, GROUPS[group])


def _fields(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}.{name}"
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _fields(f"{prefix}.{name}", kind)
