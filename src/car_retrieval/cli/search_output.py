"""Results of `kedro search` as a table or JSON."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table

from car_retrieval.serving.class_votes import ClassVote, class_votes
from car_retrieval.serving.search_result import SearchResult

if TYPE_CHECKING:
    from car_retrieval.datasets.image_files import ImageFiles

Crop = tuple[int, int, int, int]

SHORTEST = 24  # columns that a path has at least
COLUMNS: dict[str, Literal["left", "right"]] = {
    "rank": "right",
    "similarity": "right",
    "make": "left",
    "model": "left",
    "year": "right",
    "path": "left",
}


def as_json_line(
    photos: tuple[Path, ...],
    unlike: tuple[Path, ...],
    part: Crop | None,
    result: SearchResult,
    files: "ImageFiles",
) -> str:
    """Describe a search and its matches on one line of JSON.

    Args:
        photos: the query photos, of which several were combined.
        unlike: photos that the matches should not look like.
        part: part of a single photo that was searched with.
        result: result of the search.
        files: files of the gallery.
    """
    matches = []
    for rank, match in enumerate(result.matches, start=1):
        values = _with_class(asdict(match))
        matches.append({"rank": rank} | values | {"path": str(files.file(match.path))})
    if len(photos) > 1 or unlike:
        asked: dict[str, Any] = {"photos": [*map(str, photos)], "unlike": [*map(str, unlike)]}
    else:
        asked = {"photo": str(photos[0]), "crop": part}
    about = asked | {
        "known": result.above_threshold,
        "threshold": result.threshold,
        "groups": [_with_class(asdict(vote)) for vote in class_votes(result.matches)],
    }
    return json.dumps(about | {"matches": matches}, ensure_ascii=False)


def _with_class(values: dict[str, Any]) -> dict[str, Any]:
    return {name.rstrip("_"): value for name, value in values.items()}


def print_table(
    title: str, part: Crop | None, result: SearchResult, files: "ImageFiles", group: bool
) -> None:
    """Print the matches of a search as a table.

    Args:
        title: the query.
        part: part of the photo that was searched with.
        result: result of the search.
        files: files of the gallery.
        group: print the classes of the matches above them.
    """
    labelled = any(match.class_ is not None for match in result.matches)
    names = [name for name in COLUMNS if labelled or name not in ("make", "model", "year")]
    rows = []
    for rank, match in enumerate(result.matches, start=1):
        shown = f"{match.similarity:.3f}"
        if result.threshold is not None and match.similarity < result.threshold:
            shown = f"({shown})"
        named = (match.make, match.model or f"class {match.class_}", match.year)
        cells = ["–" if value is None else str(value) for value in named] if labelled else []
        rows.append([str(rank), shown, *cells])
    console = Console(highlight=False, markup=False, emoji=False)
    searched = f" ({','.join(map(str, part))})" if part else ""
    console.print(f"{title}{searched}{_verdict(result)}", soft_wrap=True, style="bold")
    for vote in class_votes(result.matches) if group else ():
        console.print(_vote(vote, len(result.matches)), soft_wrap=True)
    if rows:
        taken = console.measure(_table(names[:-1], rows)).maximum + 2
        room = max(SHORTEST, console.width - taken)
        for row, match in zip(rows, result.matches, strict=True):
            row.append(_shortened(str(_from_here(files.file(match.path))), room))
        console.print(_table(names, rows), width=taken + room, crop=False)
    console.print()


def _table(names: list[str], rows: list[list[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, justify=COLUMNS[name], no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _shortened(path: str, width: int) -> str:
    """Replace the middle of a long path by an ellipsis."""
    tail = width // 2
    return path if len(path) <= width else f"{path[: width - tail - 1]}…{path[-tail:]}"


def _vote(vote: ClassVote, matches: int) -> str:
    """Describe a vote: `Damara S4 2007–2009, 7 of 10, mean similarity 0.870`."""
    names = [vote.model or f"class {vote.class_}"]
    if vote.make and not names[0].startswith(vote.make):
        names.insert(0, vote.make)
    if vote.years:
        names.append("–".join(map(str, sorted(set(vote.years)))))
    return f"{' '.join(names)}, {vote.matches} of {matches}, mean similarity {vote.similarity:.3f}"


def _from_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _verdict(result: SearchResult) -> str:
    if not result.matches:
        return ": no gallery photo matches the filters"
    if result.above_threshold is False:
        return f": no match above {result.threshold:.3f}; nearest photos:"
    if result.threshold is not None and result.matches[-1].similarity < result.threshold:
        return f": photos below the match threshold {result.threshold:.3f} are in brackets"
    return ""
