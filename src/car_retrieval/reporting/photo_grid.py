"""Grids of retrieved photos, right and wrong marked; contact sheets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from car_retrieval.reporting.style import GREEN, INK, MUTED, RED, font, printable

RIGHT, WRONG = "✓", "✗"  # colour is not the only cue
MARKS = {True: (GREEN, RIGHT), False: (RED, WRONG), None: (MUTED, "")}
_CELL, _GAP, _HEADER, _FOOTER, _TITLE = 132, 11, 35, 55, 50  # pixels


@dataclass(frozen=True)
class GridMatch:
    """A retrieved photo.

    Attributes:
        image: uint8 [h, w, 3], RGB, any size.
        right: Whether it is of the query's class; None if that is not known.
        similarity: Its score; NaN where none is known.
        caption: What it shows, e.g. "Audi A4L 2012".
    """

    image: NDArray[np.uint8]
    right: bool | None
    similarity: float
    caption: str = ""


@dataclass(frozen=True)
class GridRow:
    """A query and its matches, best first.

    Attributes:
        image: uint8 [h, w, 3], RGB, any size.
        caption: What it shows and how it scored, e.g. "Audi A4L 2012 · AP@20 .87".
        matches: Best first.
    """

    image: NDArray[np.uint8]
    caption: str
    matches: Sequence[GridMatch]


def retrieval_grid(title: str, rows: Sequence[GridRow], columns: int = 10) -> Image.Image:
    """A row per query: the photo, then its top matches, framed and marked right or wrong.

    Args:
        title: Heading.
        rows: Queries to show.
        columns: Matches shown of each.
    """
    cells = [_cell_height(row, columns) for row in rows]
    width = (columns + 1) * (_CELL + _GAP) + 3 * _GAP
    height = _TITLE + max(sum(cells) + len(rows) * (_HEADER + _FOOTER), _CELL)
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    _write(pen, _GAP, 31, title, 18, bold=True)
    base = _TITLE
    for row, cell in zip(rows, cells, strict=True):
        _write(pen, _GAP, base + 22, row.caption, 13, bold=True)
        top, base = base + _HEADER, base + _HEADER + cell
        _draw(sheet, row.image, _GAP, top, cell, INK)
        for column, match in enumerate(row.matches[:columns]):
            left = 3 * _GAP + (column + 1) * (_CELL + _GAP)
            colour, sign = MARKS[match.right]
            _draw(sheet, match.image, left, top, cell, colour)
            score = "" if np.isnan(match.similarity) else f" {match.similarity:.3f}"
            _write(pen, left, base + 19, sign + score, 12, colour, bold=True)
            _write(pen, left, base + 34, match.caption, 10, MUTED, length=23)
        base += _FOOTER
    if not rows:
        _write(pen, _GAP, _TITLE + 33, "nothing to show", 14, MUTED)
    return sheet


def _cell_height(row: GridRow, columns: int) -> int:
    """Height of the flattest cells that hold a row's photos in full width; at most a square."""
    images = [row.image, *(match.image for match in row.matches[:columns])]
    tallest = max(image.shape[0] / image.shape[1] for image in images)
    return round(_CELL * min(max(tallest, 0.5), 1.0))


def _write(
    pen: ImageDraw.ImageDraw,
    left: int,
    base: int,
    text: str,
    size: int,
    colour: str = INK,
    bold: bool = False,
    length: int = 150,
) -> None:
    pen.text((left, base), printable(text, length), colour, font(size, bold), anchor="ls")


def _draw(
    sheet: Image.Image, image: NDArray[np.uint8], left: int, top: int, cell: int, colour: str
) -> None:
    """Draw a photo as large as its cell allows, in the middle, framed."""
    height, width = image.shape[:2]
    scale = min(_CELL / width, cell / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = left + (_CELL - size[0]) // 2, top + (cell - size[1]) // 2
    sheet.paste(Image.fromarray(image).resize(size), (left, top))
    frame = (left - 2, top - 2, left + size[0] + 1, top + size[1] + 1)
    ImageDraw.Draw(sheet).rectangle(frame, outline=colour, width=4)


def contact_sheet(images: NDArray[np.uint8], columns: int) -> Image.Image:
    """All photos of an image matrix side by side, row by row.

    Args:
        images: uint8 [n, 3, R, R], RGB.
        columns: Photos in a row.

    Returns:
        An image of ceil(n / columns) rows, with white gaps.

    Raises:
        ValueError: If `images` has another shape or type, or `columns` is below 1.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] != 3 or columns < 1:
        raise ValueError(
            f"a contact sheet needs uint8 [n, 3, R, R] and columns >= 1, "
            f"not {images.dtype} {images.shape} and columns={columns}"
        )
    gap, (size, width) = 4, images.shape[2:]
    rows = max(1, -(-len(images) // columns))
    sheet = np.full((rows * (size + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top, left = gap + row * (size + gap), gap + column * (width + gap)
        sheet[top : top + size, left : left + width] = image.transpose(1, 2, 0)
    return Image.fromarray(sheet)


def pick_queries(table: pd.DataFrame, count: int) -> dict[str, list[int]]:
    """Select example queries: the best, the middling and the worst by AP@k.

    No query is picked twice, and no class twice within a group while another class is left.
    Ties go to the smaller id. Queries without a match are left out; if all are without, some of
    them, spread evenly, are `median`.

    Args:
        table: Output of `metrics.retrieval.per_query`.
        count: Queries per group; fewer where the table has fewer than three times as many.

    Returns:
        Query ids under `best`, `median` and `worst`, each in the order of picking.
    """
    scored = table[table["Relevant"] > 0].sort_values("Query")
    score = scored[next(name for name in table.columns if name.startswith("AP@"))]
    if scored.empty:
        spread = np.linspace(0, len(table) - 1, min(count, len(table)), dtype=int)
        return {"best": [], "median": table["Query"].iloc[spread].tolist(), "worst": []}
    count = min(count, max(1, len(scored) // 3))
    distance = {"best": -score, "worst": score, "median": (score - score.median()).abs()}
    picked: dict[str, list[int]] = {"best": [], "median": [], "worst": []}
    for group, order in distance.items():
        left = scored.loc[order.sort_values(kind="stable").index]
        left = left[~left["Query"].isin([query for ids in picked.values() for query in ids])]
        again = left["Class"].duplicated()
        picked[group] = pd.concat([left[~again], left[again]])["Query"].head(count).tolist()
    return picked
