"""Base class and common types of all parameter groups."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Params(BaseModel):
    """Base of all parameter groups: rejects unknown names; values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def without_null(searchers: Any) -> Any:
    """Drop the entries set to null: the only way for an environment to remove one."""
    if not isinstance(searchers, dict):
        return searchers
    return {name: values for name, values in searchers.items() if values is not None}


def dotted(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values of a nested group with their dotted names: `training.loss.name`."""
    if isinstance(value, Mapping) and value:
        for inner, content in value.items():
            yield from dotted(f"{name}.{inner}" if name else inner, content)
    else:
        yield name, value
