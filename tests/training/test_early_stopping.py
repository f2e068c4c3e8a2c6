import pandas as pd
import pytest

from car_retrieval.training.early_stopping import CHANCE, at_chance, best_epoch, stop_early

MAP = [0.1, 0.4, 0.4, 0.3, 0.5, 0.2]
MAP_AT_R = [0.1, 0.2, 0.3, 0.3, 0.2, 0.3]


def states(scores=MAP):
    return [
        {"report": {"epoch": n, "loss": 1, "mAP@7": score, "MAP@R": at_r, "R@1": 1 - score}}
        for n, (score, at_r) in enumerate(zip(scores, MAP_AT_R, strict=False))
    ]


@pytest.mark.parametrize(("select_by", "best"), [("mAP@k", 4), ("MAP@R", 2)])
def test_the_best_epoch_is_the_earliest_of_equals(select_by, best):
    history = pd.DataFrame([state["report"] for state in states()])
    assert best_epoch(history, select_by) == best
    assert best_epoch(history[::-1].sort_values("epoch"), select_by) == best


@pytest.mark.parametrize(
    ("patience", "select_by", "epochs"),
    [(None, "mAP@k", 6), (1, "mAP@k", 3), (2, "mAP@k", 4), (3, "mAP@k", 6), (2, "MAP@R", 5)],
)
def test_patience(patience, select_by, epochs):
    """At 0.4, 0.4, 0.3 two epochs in a row are not better; the sixth is the second after 0.5."""
    assert list(stop_early(states(), patience, select_by)) == states()[:epochs]


def test_no_epoch_is_trained_in_vain():
    trained = []

    def training():
        for state in states():
            trained.append(state)
            yield state

    list(stop_early(training(), 1, "mAP@k"))
    assert len(trained) == 3


def test_a_score_that_is_not_a_number_is_not_better():
    assert len(list(stop_early(states([float("nan")] * 6), 2, "mAP@k"))) == 2


@pytest.mark.parametrize(
    ("reached", "limits", "warns"),
    [([0.1, 0.2], [0.2, 0.2], True), ([0.1, 0.3], [0.2, 0.2], False), ([0.1], None, False)],
)
def test_a_run_at_chance_is_told(reached, limits, warns) -> None:
    history = pd.DataFrame({"R@1": reached})
    if limits:
        history[CHANCE] = limits
    warning = at_chance(history)
    assert (warning is not None) == warns
    if warns:
        assert "0.200" in warning
