"""The HTML report: one file that needs nothing else, neither a server nor a network."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from io import BytesIO
from numbers import Integral, Real
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from PIL import Image

from car_retrieval.reporting.metric_meanings import by_metric, meaning


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        title: Heading.
        text: Paragraphs, separated by blank lines.
        figures: Captions, each with the bytes of a PNG or JPEG.
        table: Shown under the text.
        photos: Captions with pictures, folded behind a heading.
        facts: Names and values, by group; shown small and folded, at the end.
    """

    title: str
    text: str = ""
    figures: Sequence[tuple[str, bytes]] = ()
    table: pd.DataFrame | None = None
    photos: Sequence[tuple[str, bytes]] = ()
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def html_report(
    title: str, summary: pd.DataFrame, sections: Sequence[Section], about: str = ""
) -> str:
    """Lay out a report as one HTML document with its pictures inside.

    Args:
        title: Heading.
        summary: A row per measurement. Its text columns say what was measured (split, searcher,
            protocol), its whole numbers are counts, its other numbers are metrics. The metrics of
            the first row become the headline, "legacy" ones left out: they flatter.
        sections: In order.
        about: Under the heading, of which run this is.

    Returns:
        The document. All text is escaped, and its content policy forbids loading anything.
    """
    template = files("car_retrieval.reporting").joinpath("report.html").read_text("utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["columns"] = _columns
    environment.filters["rows"] = _rows
    environment.filters["image"] = _image
    environment.filters["heading"] = lambda caption: caption.partition(".")[0].lower()
    page = environment.from_string(template)
    return page.render(
        title=title,
        about=about,
        headline=_headline(summary),
        results=_results(summary),
        sections=sections,
    )


def _headline(summary: pd.DataFrame) -> dict[str, object]:
    """Subject, counts and metrics of the first row."""
    if summary.empty:
        return {"subject": "", "counts": [], "metrics": []}
    row = {name: summary[name].iloc[0] for name in summary}
    counts = {name: value for name, value in row.items() if isinstance(value, Integral)}
    numbers = {name: value for name, value in row.items() if isinstance(value, Real)}
    return {
        "subject": " · ".join(str(value) for name, value in row.items() if name not in numbers),
        "counts": [(_name(name), _cell(value)) for name, value in counts.items()],
        "metrics": [
            (_name(name), _cell(value))
            for name, value in numbers.items()
            if name not in counts and not str(name).startswith("legacy") and _cell(value) != "—"
        ],
    }


def _results(summary: pd.DataFrame) -> dict[str, Any]:
    """Results with a row per metric, explained, and a column per measurement."""
    if summary.empty:
        return {"columns": [], "rows": []}
    turned = by_metric(summary)
    return {
        "columns": list(turned),
        "rows": [
            (_name(name), meaning(str(name)), [_cell(value) for value in values])
            for name, values in zip(turned.index, turned.to_numpy(), strict=True)
        ],
    }


def _name(name: object) -> str:
    return str(name).replace("_", " ")


def _columns(table: pd.DataFrame) -> list[tuple[str, bool]]:
    """Headings: the text, and whether numbers stand under it."""
    return [(_name(name), pd.api.types.is_numeric_dtype(table[name])) for name in table]


def _rows(table: pd.DataFrame) -> list[list[tuple[str, bool]]]:
    """Cells by row: the text, and whether it is a number."""
    columns = [table[name].tolist() for name in table]
    return [[(_cell(v), isinstance(v, Real)) for v in row] for row in zip(*columns, strict=True)]


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "—"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    if not isinstance(value, Real):
        return str(value)
    number = float(value)
    return f"{number:.3f}" if abs(number) < 10 else f"{number:,.{1 if abs(number) < 100 else 0}f}"


def _image(picture: bytes) -> dict[str, object]:
    """A picture as a data address with its size; as JPEG where that halves it: photos."""
    with Image.open(BytesIO(picture), formats=("PNG", "JPEG")) as image:
        width, height = image.size
        kind = image.get_format_mimetype()
        compressed = BytesIO()
        image.convert("RGB").save(compressed, "JPEG", quality=80)
    if 2 * compressed.tell() < len(picture):
        kind, picture = "image/jpeg", compressed.getvalue()
    address = f"data:{kind};base64,{b64encode(picture).decode()}"
    return {"address": address, "width": width, "height": height}
