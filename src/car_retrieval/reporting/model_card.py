"""The model card: what a descriptor is, was made of, finds, and does not know.

After Mitchell et al., "Model cards for model reporting", FAT* 2019; the heading is the YAML that
model hubs read.
"""

from importlib.resources import files
from numbers import Integral, Real
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from omegaconf import OmegaConf


def model_card(front_matter: dict[str, Any], **facts: Any) -> str:
    """Fill in the card.

    Args:
        front_matter: what a model hub reads of it.
        facts: what the template `model_card.md` names; tables as data frames.

    Returns:
        Markdown.

    Raises:
        jinja2.UndefinedError: a fact is missing.
    """
    environment = Environment(  # Markdown: nothing to escape
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"table": _table, "yaml": OmegaConf.to_yaml, "number": _cell}
    template = files("car_retrieval.reporting").joinpath("model_card.md").read_text("utf-8")
    return environment.from_string(template).render(front_matter=front_matter, **facts)


def _table(rows: pd.DataFrame) -> str:
    """A table in Markdown, numbers to the right."""
    numeric = [pd.api.types.is_numeric_dtype(rows[name]) for name in rows]
    lines = [
        [_cell(name) for name in rows],
        ["---:" if number else "---" for number in numeric],
        *([_cell(value) for value in row] for row in zip(*map(rows.get, rows), strict=True)),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if value is None or value is pd.NA or value != value:
        return "–"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    if isinstance(value, Real):
        return f"{value:.3f}" if abs(float(value)) < 10 else f"{value:,.0f}"
    return str(value).replace("|", "\\|").replace("\n", " ")
