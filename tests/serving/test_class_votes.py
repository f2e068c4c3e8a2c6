import pytest

from car_retrieval.serving.class_votes import class_votes
from car_retrieval.serving.search_result import Match


def match(class_: int | None, similarity: float, year: int | None = None) -> Match:
    return Match("a", "a.jpg", similarity, class_, "Damara", f"S{class_}", year)


def test_classes_share_the_similarities() -> None:
    votes = class_votes([match(4, 0.9, 2009), match(5, 0.8), match(4, 0.3, 2007)])
    assert [(vote.class_, vote.matches) for vote in votes] == [(4, 2), (5, 1)]
    assert [vote.similarity for vote in votes] == pytest.approx([0.6, 0.8])
    assert [vote.share for vote in votes] == pytest.approx([0.6, 0.4])
    assert [vote.years for vote in votes] == [(2007, 2009), None]
    assert (votes[0].make, votes[0].model) == ("Damara", "S4")


def test_negative_similarities_do_not_vote() -> None:
    first, second = class_votes([match(5, -0.5), match(5, -0.1), match(4, 0.1)])
    assert (first.class_, first.share) == (4, 1)
    assert (second.share, second.similarity) == (0, pytest.approx(-0.3))
    assert [vote.share for vote in class_votes([match(4, -1.0)])] == [0]


def test_matches_without_a_class_do_not_vote() -> None:
    assert class_votes([match(None, 0.9)]) == []
