import json

import pytest

from car_retrieval.datasets.run_results import RunResultsDataset


def result(recipe, seed, **more):
    return {"recipe": recipe, "seed": seed, **more}


def test_each_result_is_there_before_the_next_is_made(tmp_path):
    dataset = RunResultsDataset(str(tmp_path / "runs"))
    assert not dataset.exists()
    assert dataset.load() == {}

    def results():
        yield result("a", 7)
        assert dataset.load() == {"a-7": result("a", 7)}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dataset.save(results())
    assert dataset.load() == {"a-7": result("a", 7)}
    assert dataset.exists()


def test_later_results_are_added_and_replace(tmp_path):
    dataset = RunResultsDataset(str(tmp_path))
    dataset.save([result("a", 7, score=0.25), result("b", 7)])
    dataset.save(iter([result("a", 7, score=0.5), result("a", 8)]))
    assert dataset.load() == {
        "a-7": result("a", 7, score=0.5),
        "a-8": result("a", 8),
        "b-7": result("b", 7),
    }


def test_what_a_kill_left_half_written_is_not_read(tmp_path):
    (tmp_path / "a-7.json.part").write_text('{"recipe": ')
    assert RunResultsDataset(str(tmp_path)).load() == {}


def test_a_result_is_readable_json(tmp_path):
    RunResultsDataset(str(tmp_path)).save([result("é", 7)])
    assert json.loads((tmp_path / "é-7.json").read_text(encoding="utf-8"))["seed"] == 7
