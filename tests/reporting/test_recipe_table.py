import math
import warnings
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.reporting.ablation import (
    learning_curve,
    learning_curves,
    recipe_table,
    score_dots,
    scores_shown,
)

K = 20


def run(recipe, scores, seed=7, per_epoch=100, pace=1.0, test=0.5):
    """A run whose validation mAP@20 takes this course."""
    history = [
        {"epoch": n, "images": per_epoch, "seconds": 3 * pace, "cpu_seconds": pace, "mAP@20": score}
        | {"R@1": score / 2, "MAP@R": score / 4}
        for n, score in enumerate(scores)
    ]
    totals = {c: sum(e[c] for e in history) for c in ("images", "seconds", "cpu_seconds")}
    best = max(history, key=lambda epoch: epoch["mAP@20"])
    tested = {name: test for name in scores_shown(K)}
    about = {"recipe": recipe, "seed": seed, "history": history}
    return about | totals | {"valid": best, "test": tested}


def diverged(recipe):
    return run(recipe, [0.1]) | {"valid": {}, "test": {}}


BASE = run("base", [0.1, 0.2, 0.4, 0.3])
QUICK = run("quick", [0.3, 0.5, 0.6, 0.55])


def table(*runs, baseline="base"):
    return recipe_table(runs, baseline, K).set_index("recipe")


class TestTable:
    def test_means_and_spread_over_seeds(self):
        tests = (0.2, 0.6, 0.7)
        runs = [
            run("a", [0.1, best], test=test)
            for best, test in zip((0.2, 0.3, 0.7), tests, strict=True)
        ]
        row = table(*runs, baseline="a").loc["a"]
        assert row["runs"] == 3
        assert row["valid mAP@20"] == pytest.approx(0.4)
        assert row["valid mAP@20 sd"] == pytest.approx(math.sqrt((0.04 + 0.01 + 0.09) / 2))
        assert row["valid R@1"] == pytest.approx(0.2)
        assert row["test MAP@R"] == pytest.approx(0.5)
        assert row["test MAP@R sd"] == pytest.approx(np.std(tests, ddof=1))
        assert (row["images"], row["seconds"], row["CPU seconds"]) == (200, 6, 2)

    def test_one_run_has_no_spread(self):
        assert np.isnan(table(BASE).loc["base", "valid mAP@20 sd"])

    def test_the_best_on_validation_is_first(self):
        worse = run("worse", [0.2], test=0.99)
        assert list(table(worse, BASE, QUICK).index) == ["quick", "base", "worse"]

    def test_images_to_the_baselines_best(self):
        found = table(BASE, QUICK, run("never", [0.39, 0.39]), run("late", [0.1] * 5 + [0.4]))
        reached = found["images to baseline"].to_dict()
        assert reached["base"] == pytest.approx(3 / 4)
        assert reached["quick"] == pytest.approx(2 / 4)
        assert np.isnan(reached["never"])
        assert reached["late"] == pytest.approx(6 / 4)

    def test_of_several_seeds_the_mean_curve_counts(self):
        # One seed is above .4 at once, the mean of both from the second epoch on.
        seeds = run("two", [0.5, 0.5]), run("two", [0.1, 0.45], seed=8)
        assert table(BASE, *seeds).loc["two", "images to baseline"] == pytest.approx(2 / 4)

    def test_no_baseline_run_yet(self):
        assert np.isnan(table(QUICK).loc["quick", "images to baseline"])

    def test_a_baseline_that_diverged_has_no_quality(self):
        assert table(QUICK, diverged("base"))["images to baseline"].isna().all()

    def test_at_equal_time(self):
        slow = run("slow", [0.2, 0.8], pace=4.0)  # 8 seconds, of which base takes 4
        slowest = run("slowest", [0.8], pace=16.0)
        found = table(BASE, slow, slowest)["valid mAP@20, equal time"]
        assert found["base"] == pytest.approx(0.4)  # its best so far, not its last
        assert found["slow"] == pytest.approx(0.2)
        assert np.isnan(found["slowest"])  # has not ended an epoch

    def test_a_recipe_that_diverged_once_has_no_scores_and_is_last(self):
        found = recipe_table([diverged("bad"), run("bad", [0.9, 0.9], seed=8), BASE], "base", K)
        assert list(found["recipe"]) == ["base", "bad"]
        assert found.iloc[1].filter(regex="@|baseline").isna().all()


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=5), min_size=1, max_size=4))
def test_a_learning_curve_is_the_mean_where_all_runs_are(scores):
    curve = learning_curve([run("a", s, n) for n, s in enumerate(scores)], "a", "mAP@20")
    length = min(map(len, scores))
    part = np.array([s[:length] for s in scores])
    assert curve["images"].tolist() == [100 * (n + 1) for n in range(length)]
    np.testing.assert_allclose(curve["mAP@20"], part.mean(axis=0))
    spread = part.std(axis=0, ddof=1) if len(scores) > 1 else np.zeros(length)
    np.testing.assert_allclose(curve["high"] - curve["low"], 2 * spread, atol=1e-12)


def drawn(figure):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(BytesIO(), format="png")
    return figure.axes


class TestFigures:
    def test_curves_of_the_best_and_the_baseline(self):
        runs = [run(f"r{n}", [0.1, 0.9 - n / 10]) for n in range(7)] + [run("base", [0.05, 0.1])]
        panels = drawn(learning_curves(runs, recipe_table(runs, "base", K), "base", K))
        for axes, ends in zip(panels, (200, 2), strict=True):
            lines = {line.get_label(): line for line in axes.get_lines()}
            names = [name for name in lines if not name.startswith("_")]
            assert names == ["r0", "r1", "r2", "r3", "r4", "base (baseline)"]
            np.testing.assert_allclose(lines["r1"].get_xydata()[-1], (ends, 0.8))

    def test_dots_are_the_tables_means(self):
        runs = [BASE, QUICK, run("quick", [0.2], seed=8), diverged("bad")]
        table = recipe_table(runs, "base", K)
        panels = drawn(score_dots(runs, table, K))
        assert [label.get_text() for label in panels[0].get_yticklabels()] == list(table["recipe"])
        means = panels[0].containers[0].lines[0].get_xdata(orig=False)
        np.testing.assert_allclose(means, table["valid mAP@20"])

    @pytest.mark.parametrize("history", [[], diverged("bad")["history"]])
    def test_nothing_to_show(self, history):
        runs = [diverged("bad") | {"history": history}]
        table = recipe_table(runs, "base", K)
        drawn(learning_curves(runs, table, "base", K))
        drawn(score_dots(runs, table, K))
