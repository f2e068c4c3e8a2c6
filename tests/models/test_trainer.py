from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import torch

from car_retrieval.metrics.verification import sample_pairs
from car_retrieval.models.descriptor import network_of
from car_retrieval.models.trainer import Trainer
from car_retrieval.models.validation import Validation
from car_retrieval.params import TrainingParams

CLASSES, PHOTOS = 4, 6
COSFACE = {"name": "CosFaceLoss", "args": {"margin": 0.1, "scale": 8}}
WAYS = {
    "pk": {"loss": COSFACE, "sampler": {"name": "pk", "args": {"photos_per_class": 4}}},
    "tuples": {
        "loss": {"name": "TupleSoftmax", "args": {"negatives": 2, "temperature": 0.1}},
        "sampler": {"name": "tuples", "args": {"negatives": 2}},
    },
}


@pytest.fixture(scope="module")
def images():
    """Each class is a colour under noise."""
    rng = np.random.default_rng(0)
    colours = np.repeat(rng.integers(0, 200, (CLASSES, 3, 1, 1)), PHOTOS, axis=0)
    noise = rng.integers(0, 56, (CLASSES * PHOTOS, 3, 32, 32))
    return (colours + noise).astype(np.uint8)


@pytest.fixture(scope="module")
def split():
    table = pd.DataFrame({"Index": range(CLASSES * PHOTOS)})
    table["Class"] = np.repeat([7, -1, 2**40, 0], PHOTOS)
    return table.assign(split=np.where(table["Index"] % PHOTOS == 0, "valid", "train"))


@pytest.fixture
def make(images, split):
    def trainer(way="pk", table=split, **changes):
        labels = table.set_index("Index")["Class"]
        sides = (labels[(table["split"] == side).to_numpy()] for side in ("valid", "train"))
        wanted = {"epochs": 3, "batch_size": 8, "dimension": 8, "seed": 1, "k": 5, "device": "cpu"}
        params = TrainingParams(**(wanted | WAYS[way] | changes))
        validation = Validation(images, table, sample_pairs(*sides, seed=0), params.k)
        return Trainer(images, table, validation, params)

    return trainer


def weight(checkpoint):
    return checkpoint["model"]["projection.weight"]


def assert_equal_weights(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("way", WAYS)
def test_a_resumed_run_equals_one_that_was_not_stopped(make, way):
    straight = list(make(way).epochs())
    torch.manual_seed(99)  # whatever happened in between
    resumed = make(way)
    resumed.restore(next(make(way).epochs()))
    rest = list(resumed.epochs(1))
    assert [c["report"]["epoch"] for c in rest] == [1, 2]
    for one, other in zip(straight[1:], rest, strict=True):
        assert_equal_weights(one["model"], other["model"])
        assert_equal_weights(one["loss"], other["loss"])
        for name in ("loss", "lr", "images", "auc", "eer", "mAP@5", "R@1"):
            assert one["report"][name] == other["report"][name]


def test_a_trivial_set_is_learnt(make):
    checkpoints = list(make(epochs=4, augmentation=None).epochs())
    losses = [checkpoint["report"]["loss"] for checkpoint in checkpoints]
    assert losses[-1] < 0.7 * losses[0]
    assert checkpoints[-1]["report"]["mAP@5"] > 0.9


def test_what_a_checkpoint_holds(make):
    trainer = make(epochs=2, lr=0.01, lr_shrink=0.5, weight_decay=0.1)
    first, second = trainer.epochs()
    assert first["classes"] == [-1, 0, 7, 2**40]
    assert first["config"] == asdict(trainer.net.config)
    assert (trainer.net.config.dimension, trainer.net.config.image_size) == (8, 32)
    assert [c["report"]["lr"] for c in (first, second)] == [0.01, 0.005]
    assert first["report"]["images"] == 32  # five photos of each class fill two groups of four
    # A checkpoint stays as it was while training goes on.
    assert not torch.equal(
        first["model"]["projection.weight"], second["model"]["projection.weight"]
    )
    assert_equal_weights(network_of(second).state_dict(), trainer.net.state_dict())


def test_each_epoch_draws_anew(make, monkeypatch):
    trainer, seeds = make(), []
    monkeypatch.setattr(trainer, "_batches", lambda seed: seeds.append(seed) or [np.arange(2)])
    list(trainer.epochs())
    assert len(set(seeds)) == 3


def test_the_seed_decides(make):
    first, again, other = (next(make(seed=seed, epochs=1).epochs()) for seed in (1, 1, 2))
    assert_equal_weights(first["model"], again["model"])
    assert not torch.equal(weight(first), weight(other))


def test_the_global_stream_is_left_alone(make):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    next(make(epochs=1).epochs())
    assert torch.equal(torch.get_rng_state(), before)


def test_only_training_photos_are_learnt(make, split):
    trainer = make()
    seen = np.unique(trainer.rows[np.concatenate(trainer._batches(0))])
    assert seen.tolist() == [i for i in range(CLASSES * PHOTOS) if i % PHOTOS]
    known = split.set_index("Index")["Class"]
    assert trainer.classes[trainer.labels].tolist() == known.loc[trainer.rows].tolist()


def test_a_loss_that_is_not_a_number(make):
    trainer = make()
    with torch.no_grad():
        trainer.net.projection.weight[0, 0] = torch.nan
    with pytest.raises(
        FloatingPointError, match=r"loss is nan in epoch 0, batch 1; lower training\.lr"
    ):
        next(trainer.epochs())


class TestRestore:
    @pytest.fixture
    def checkpoint(self, make):
        trainer = make()
        return trainer._checkpoint({"epoch": 0, "mAP@5": 0.5})

    def test_other_classes(self, make, checkpoint, split):
        with pytest.raises(ValueError, match="another list of training classes"):
            make(table=split.assign(Class=split["Class"] + 1)).restore(checkpoint)

    @pytest.mark.parametrize("column", ["split", "Path", "Hash"])
    def test_another_split_or_list_of_as_many_photos(self, make, split, column):
        named = split.assign(Path=[f"{i}.jpg" for i in split["Index"]], Hash="ab")
        checkpoint = make(table=named)._checkpoint({"epoch": 0, "mAP@5": 0.5})
        make(table=named.copy()).restore(checkpoint)
        other = named.copy()
        # Photo 0 validates and photo 1 trains: of one class, so that all counts stay.
        other.loc[[0, 1], column] = named.loc[[1, 0], column].to_list()
        if column == "Hash":
            other.loc[0, "Hash"] = "cd"
        with pytest.raises(ValueError, match="another list or split of photos; resume with"):
            make(table=other).restore(checkpoint)

    def test_a_checkpoint_that_does_not_know_its_split(self, make, checkpoint):
        del checkpoint["split"]
        with pytest.raises(ValueError, match="another list or split of photos"):
            make().restore(checkpoint)

    @pytest.mark.parametrize("change", [{"arch": "resnet34"}, {"dimension": 16}])
    def test_another_network(self, make, checkpoint, change):
        with pytest.raises(ValueError, match=r"training\.start_epoch: .* another network; resume"):
            make(**change).restore(checkpoint)

    def test_another_k(self, make, checkpoint):
        with pytest.raises(ValueError, match="not rated by mAP@7"):
            make(k=7).restore(checkpoint)

    def test_another_loss(self, make, checkpoint):
        for loss in ("ProxyAnchorLoss", "NTXentLoss"):
            with pytest.raises(ValueError, match="another loss"):
                make(loss={"name": loss}).restore(checkpoint)


def test_a_miner(make):
    miner = {"name": "MultiSimilarityMiner", "args": {"epsilon": 0.5}}
    checkpoint = next(make(epochs=1, loss={"name": "MultiSimilarityLoss"}, miner=miner).epochs())
    assert np.isfinite(checkpoint["report"]["loss"])


def test_scale_and_normalisation(make):
    whole, half = (next(make(epochs=1, scale=scale).epochs()) for scale in (1.0, 0.5))
    assert not torch.equal(weight(whole), weight(half))
    assert make(normalisation="image").net.config.normalisation == "image"
