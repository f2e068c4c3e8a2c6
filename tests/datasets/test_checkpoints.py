import pickle

import pytest
import torch
from kedro.io import DatasetError, Version
from kedro.io.core import VersionNotFoundError

from car_retrieval.datasets.checkpoints import COMPLETE, TO_RESUME, CheckpointsDataset

V1 = Version(None, "v1")
ANY = Version(None, None)


def states(count):
    for epoch in range(count):
        yield {
            "config": {"arch": "resnet18", "dimension": None, "image_size": 32},
            "classes": [-1, 2**62],
            "split": "0123456789abcdef",
            "provenance": {"versions": {"torch": "2"}},
            "model": {"w": torch.full((2, 2), float(epoch))},
            "loss": {"_extra_state": {"next": 3}},
            "trained": {"w": torch.ones(2)},
            "averaged": 5,
            "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}},
            "report": {"epoch": epoch, "loss": 0.5},
        }


def crashing(count):
    yield from states(count)
    raise RuntimeError("out of memory")


@pytest.fixture
def make(tmp_path):
    def dataset(version, **kwargs):
        return CheckpointsDataset(filepath=str(tmp_path / "checkpoints"), version=version, **kwargs)

    return dataset


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints" / "v1" / "checkpoints"


def test_round_trip(make, folder):
    dataset = make(V1)
    dataset.save(states(3))
    assert dataset.exists()
    names = {f.name for f in folder.iterdir()}
    assert names == {COMPLETE, "model.ep0", "model.ep1", "model.ep2", "resume.ep2"}
    loaded = make(ANY).load()
    assert list(loaded) == [0, 1, 2]
    assert len(loaded) == 3
    for epoch, state in enumerate(states(3)):
        found = loaded[epoch]
        assert torch.equal(found.pop("model")["w"], state.pop("model")["w"])
        if epoch == 2:
            assert torch.equal(found.pop("trained")["w"], state.pop("trained")["w"])
        else:
            state = {
                name: state[name] for name in ("config", "classes", "split", "provenance", "report")
            }
        assert found == state


def test_epochs_are_ordered_as_numbers(make):
    make(V1).save(states(11))
    assert list(make(ANY).load()) == list(range(11))


def test_each_checkpoint_is_written_when_it_comes(make, folder):
    seen = []

    def watched():
        for state in states(3):
            seen.append(len(list(folder.glob("model.ep*"))))
            yield state

    make(V1).save(watched())
    assert seen == [0, 1, 2]


def test_a_crash_leaves_what_was_written_to_resume_from(make, folder):
    with pytest.raises(DatasetError, match="out of memory"):
        make(V1).save(crashing(2))
    names = sorted(f.name for f in folder.iterdir())
    assert names == ["model.ep0", "model.ep1", "resume.ep1"]
    assert not make(ANY).exists()
    with pytest.raises(VersionNotFoundError):
        make(ANY).load()
    assert list(make(ANY, partial=True).load()) == [0, 1]


def test_a_crashed_version_does_not_hide_an_older_complete_one(make):
    make(Version("v0", "v0")).save(states(3))
    with pytest.raises(DatasetError):
        make(V1).save(crashing(1))
    assert len(make(ANY).load()) == 3
    assert len(make(ANY, partial=True).load()) == 1


def test_a_crash_before_the_first_epoch_leaves_nothing(make, folder):
    make(Version("v0", "v0")).save(states(3))
    with pytest.raises(DatasetError):
        make(V1).save(crashing(0))
    assert not folder.exists()
    assert len(make(ANY, partial=True).load()) == 3


def test_no_version_at_all(make):
    assert len(make(ANY, partial=True).load()) == 0
    with pytest.raises(VersionNotFoundError):
        make(ANY).load()


def test_code_in_a_checkpoint_is_not_run(make, folder):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    make(V1).save(states(3))
    torch.save({"model": Evil()}, folder / "model.ep0")
    with pytest.raises(pickle.UnpicklingError):
        make(ANY).load()[0]


def test_only_the_newest_epoch_can_be_trained_on(make, folder):
    seen = []

    def watched():
        for state in states(3):
            seen.append([epoch for epoch, kept in make(ANY, partial=True).load().items()
                         if "optimizer" in kept and "loss" in kept])  # fmt: skip
            yield state

    make(V1).save(watched())
    assert seen == [[], [0], [1]]
    assert sorted(f.name for f in folder.glob("resume*")) == ["resume.ep2"]
    loaded = make(ANY).load()
    assert [sorted({*TO_RESUME} & set(loaded[epoch])) for epoch in loaded] == [
        [],
        [],
        ["averaged", "loss", "optimizer", "trained"],
    ]


def test_a_crash_between_the_files_of_an_epoch_leaves_the_epoch_before(make, folder, monkeypatch):
    save = torch.save

    def failing(content, file):
        if file.name == "resume.ep1.part":
            raise OSError("disk full")
        save(content, file)

    monkeypatch.setattr(torch, "save", failing)
    with pytest.raises(DatasetError, match="disk full"):
        make(V1).save(states(3))
    found = make(ANY, partial=True).load()
    assert [("optimizer" in found[epoch]) for epoch in found] == [True, False]
    assert found[0]["optimizer"] == next(states(1))["optimizer"]
