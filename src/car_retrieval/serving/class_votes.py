"""Vote of the matches of a search on the class of the query."""

from collections.abc import Sequence
from dataclasses import dataclass

from car_retrieval.serving.search_result import Match


@dataclass(frozen=True)
class ClassVote:
    """A class among the matches.

    Attributes:
        class_: number of the class.
        make: name of the make; None if unknown.
        model: name of the model; None if unknown.
        years: first and last year of the class's matches; None if unknown.
        matches: number of matches of this class.
        similarity: mean similarity of these matches.
        share: their share of the sum of the similarities of all matches, in which negative
            similarities count as 0: a similarity-weighted vote of the nearest neighbours.
    """

    class_: int
    make: str | None
    model: str | None
    years: tuple[int, int] | None
    matches: int
    similarity: float
    share: float


def class_votes(matches: Sequence[Match]) -> list[ClassVote]:
    """Group matches by class, in descending order of `share`.

    Matches without a class are left out.
    """
    by_class: dict[int, list[Match]] = {}
    for match in matches:
        if match.class_ is not None:
            by_class.setdefault(match.class_, []).append(match)
    total = sum(_weight(group) for group in by_class.values())
    votes = [_vote(class_, group, total) for class_, group in by_class.items()]
    return sorted(votes, key=lambda vote: -vote.share)


def _vote(class_: int, group: list[Match], total: float) -> ClassVote:
    years = [match.year for match in group if match.year is not None]
    return ClassVote(
        class_,
        group[0].make,
        group[0].model,
        (min(years), max(years)) if years else None,
        len(group),
        sum(match.similarity for match in group) / len(group),
        _weight(group) / total if total else 0.0,
    )


def _weight(group: list[Match]) -> float:
    return sum(max(match.similarity, 0.0) for match in group)
