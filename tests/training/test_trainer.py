import json
from dataclasses import asdict
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from tests.parameters import training_params
from torchvision.models import resnet18

from car_retrieval.metrics.verification import sample_pairs
from car_retrieval.models.descriptor import network_of
from car_retrieval.training.trainer import Trainer
from car_retrieval.training.validation import Validation

CLASSES, PHOTOS = 4, 6
SMALL = "timm/test_resnet"  # half a million weights
COSFACE = {"name": "CosFaceLoss", "args": {"margin": 0.1, "scale": 8}}
WAYS = {
    "pk": {"loss": COSFACE, "sampler": {"name": "pk", "args": {"photos_per_class": 4}}},
    "tuples": {
        "loss": {"name": "TupleSoftmax", "args": {"negatives": 2, "temperature": 0.1}},
        "sampler": {"name": "tuples", "args": {"negatives": 2}},
    },
}
WAYS |= {
    "schedule and average": {
        "loss": COSFACE,
        **{"schedule": "cosine", "warmup_epochs": 1.5, "loss_lr": 10, "ema": 0.9},
        **{"accumulation": 3, "batch_size": 4},
    },
    "memory": {
        "loss": {"name": "MultiSimilarityLoss"},
        "miner": {"name": "MultiSimilarityMiner", "args": {"epsilon": 0.5}},
        "memory": 20,  # 32 photos an epoch: the queue goes round, and ends in its middle
    },
    "a miner that draws": {
        "loss": {"name": "TripletMarginLoss"},
        "miner": {"name": "DistanceWeightedMiner"},
        "sampler": {"name": "MPerClassSampler"},
    },
}
LOSSES = {
    "CosFaceLoss": {},
    "ArcFaceLoss": {},
    "SubCenterArcFaceLoss": {"args": {"sub_centers": 2}},
    "NormalizedSoftmaxLoss": {"args": {"temperature": 0.1}},
    "ProxyAnchorLoss": {},
    "CrossEntropy": {"args": {"label_smoothing": 0.1}},
    "MultiSimilarityLoss": {"miner": {"name": "MultiSimilarityMiner"}},
    "TripletMarginLoss": {"miner": {"name": "TripletMarginMiner"}},
    "SupConLoss": {"args": {"temperature": 0.1}},
    "NTXentLoss": {"args": {"temperature": 0.1}},
    "TupleSoftmax": {"args": {"temperature": 1.0}},
    "TupleSoftmax with temperature": {"args": {"temperature": 0.1}},
}


@cache
def images(side):
    """Each class is a colour under noise."""
    rng = np.random.default_rng(0)
    colours = np.repeat(rng.integers(0, 200, (CLASSES, 3, 1, 1)), PHOTOS, axis=0)
    noise = rng.integers(0, 56, (CLASSES * PHOTOS, 3, side, side))
    return (colours + noise).astype(np.uint8)


@pytest.fixture(scope="module")
def split():
    table = pd.DataFrame({"Index": range(CLASSES * PHOTOS)})
    table["Hash"] = table["Index"].astype(str)
    table["Class"] = np.repeat([7, -1, 2**40, 0], PHOTOS)
    return table.assign(split=np.where(table["Index"] % PHOTOS == 0, "valid", "train"))


@pytest.fixture
def make(split):
    def trainer(way="pk", table=split, side=16, **changes):
        labels = table.set_index("Index")["Class"]
        sides = (labels[(table["split"] == side).to_numpy()] for side in ("valid", "train"))
        wanted = {"epochs": 3, "batch_size": 8, "dimension": 8, "seed": 1, "k": 5, "device": "cpu"}
        params = training_params(**({"arch": SMALL} | wanted | WAYS[way] | changes))
        validation = Validation(images(side), table, sample_pairs(*sides, seed=0), params.k)
        return Trainer(images(side), table, validation, params)

    return trainer


SCORES = ("mAP@5", "MAP@R", "R@1", "AUC", "EER")
RATED = {"epoch": 0} | dict.fromkeys(SCORES, 0.5)


def weight(checkpoint):
    return checkpoint["model"]["projection.weight"]


def assert_equal_weights(first, second):
    assert first.keys() == second.keys()
    for name, one in first.items():
        assert (
            torch.equal(one, second[name]) if isinstance(one, torch.Tensor) else one == second[name]
        )


@pytest.mark.parametrize("way", WAYS)
def test_a_resumed_run_equals_one_that_was_not_stopped(make, way):
    first, straight = make(way, epochs=2).epochs()
    torch.manual_seed(99)  # whatever happened in between
    trainer = make(way, epochs=2)
    trainer.restore(first)
    (resumed,) = trainer.epochs(1)
    assert_equal_weights(straight["model"], resumed["model"])
    assert_equal_weights(straight["loss"], resumed["loss"])
    assert resumed["report"]["epoch"] == 1
    for name in ("loss", "lr", "images", *SCORES):
        assert straight["report"][name] == resumed["report"][name]


def test_what_a_checkpoint_holds(make):
    trainer = make(epochs=2, lr=0.01, lr_shrink=0.5, weight_decay=0.1)
    first, second = trainer.epochs()
    assert first["classes"] == [-1, 0, 7, 2**40]
    assert first["config"] == asdict(trainer.net.config)
    assert (trainer.net.config.dimension, trainer.net.config.image_size) == (8, 16)
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


@pytest.mark.parametrize(
    ("wanted", "seen"), [(1, 8), (8, 8), (9, 16), (None, 32), (33, 40), (96, 96)]
)
def test_an_epoch_ends_with_the_batch_that_reaches_its_images(make, wanted, seen):
    report = next(make(images_per_epoch=wanted).epochs())["report"]
    assert report["images"] == seen


@pytest.mark.parametrize("by_passes", [True, False])
def test_a_second_pass_is_drawn_again(make, by_passes):
    photos = len(make().labels)
    length = {"passes_per_epoch": 2} if by_passes else {"images_per_epoch": 2 * photos}
    trainer = make(**length, sampler={"name": "shuffle"})
    first, second = np.split(np.concatenate(trainer._batches(seed=1)), 2)
    assert sorted(first) == sorted(second) == list(range(photos))
    assert list(first) != list(second)


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
        FloatingPointError, match=r"loss is nan in epoch 1 at batch \d; lower training\.lr"
    ):
        next(trainer.epochs())


def test_weights_that_the_last_step_spoilt(make):
    trainer = make(epochs=1, lr=1e37)
    trainer._batches = lambda seed: [np.arange(8)]
    with pytest.raises(FloatingPointError, match=r"descriptors are not finite; lower training\.lr"):
        list(trainer.epochs())


class TestRestore:
    @pytest.fixture
    def checkpoint(self, make):
        trainer = make()
        return trainer._checkpoint(RATED)

    def test_other_classes(self, make, checkpoint, split):
        with pytest.raises(ValueError, match="another list of training classes"):
            make(table=split.assign(Class=split["Class"] + 1)).restore(checkpoint)

    @pytest.mark.parametrize("column", ["split", "Path", "Hash"])
    def test_another_split_or_list_of_as_many_photos(self, make, split, column):
        named = split.assign(Path=[f"{i}.jpg" for i in split["Index"]], Hash="ab")
        checkpoint = make(table=named)._checkpoint(RATED)
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
        with pytest.raises(ValueError, match="no validation mAP@7"):
            make(k=7).restore(checkpoint)

    def test_another_loss(self, make, checkpoint):
        for loss in ("ProxyAnchorLoss", "NTXentLoss", "ArcFaceLoss", "NormalizedSoftmaxLoss"):
            with pytest.raises(ValueError, match="another loss"):
                make(loss={"name": loss}).restore(checkpoint)


def test_scale_and_normalisation(make):
    whole, half = (next(make(epochs=1, scale=scale).epochs()) for scale in (1.0, 0.5))
    assert not torch.equal(weight(whole), weight(half))
    assert make(normalisation="image").net.config.normalisation == "image"


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_learns(make, name):
    loss = {"name": name.split()[0], "args": LOSSES[name].get("args", {})}
    wanted = {"arch": "resnet18", "loss": loss, "augmentation": None, "epochs": 3}
    if loss["name"] == "TupleSoftmax":
        wanted |= {"sampler": {"name": "tuples"}, "batch_size": 24}
    trainer = make(**wanted, miner=LOSSES[name].get("miner"))
    proxies = [proxy.detach().clone() for proxy in trainer.loss.parameters()]
    reports = [checkpoint["report"] for checkpoint in trainer.epochs()]
    assert reports[-1]["loss"] < reports[0]["loss"]
    assert reports[-1]["mAP@5"] > 0.9
    for before, after in zip(proxies, trainer.loss.parameters(), strict=True):
        assert not torch.equal(before, after)


def test_losses_see_lengths_and_searches_do_not(make, monkeypatch):
    trainer, seen = make(epochs=1), []
    loss = trainer.loss.forward
    monkeypatch.setattr(trainer.loss, "forward", lambda d, *rest: seen.append(d) or loss(d, *rest))
    next(trainer.epochs())
    assert (torch.cat(seen).norm(dim=1) - 1).abs().max() > 0.1


def test_the_average_is_rated_and_kept(make, monkeypatch):
    trainer = make(epochs=2, ema=0.8)
    optimisation, rated = trainer.optimisation, []
    monkeypatch.setattr(
        trainer, "validation", lambda net: rated.append(net) or dict.fromkeys(SCORES, 0.5)
    )
    step, history = optimisation.step, []

    def watched(rate):
        step(rate)
        history.append({name: w.clone() for name, w in trainer.net.state_dict().items()})

    monkeypatch.setattr(optimisation, "step", watched)
    *_, last = trainer.epochs()
    assert len(history) == 8
    for name, value in last["model"].items():
        if not value.is_floating_point():
            continue
        mean = history[0][name].double()
        for n, weights in enumerate(history[1:], start=1):
            decay = min(0.8, (1 + n) / (10 + n))
            mean = decay * mean + (1 - decay) * weights[name].double()
        torch.testing.assert_close(value, mean.float())
    assert_equal_weights(last["trained"], trainer.net.state_dict())
    assert_equal_weights(last["model"], rated[-1].state_dict())
    assert_equal_weights(last["model"], network_of(last).state_dict())
    assert not torch.equal(weight(last), last["trained"]["projection.weight"])


def test_accumulated_gradients_are_those_of_the_whole_batch(make, monkeypatch):
    """Where photos do not see each other: neither in batch norm nor in the loss."""
    apart = {"loss": {"name": "CrossEntropy"}, "freeze_bn": True, "augmentation": None}
    apart |= {"sampler": {"name": "shuffle"}, "epochs": 1}
    gradients = {}
    for size in (1, 2):
        trainer = make(batch_size=8 // size, accumulation=size, **apart)
        found = gradients[size] = []

        def collect(rate, net=trainer.net, found=found):
            found.append({name: w.grad.clone() for name, w in net.named_parameters()})
            net.zero_grad()

        monkeypatch.setattr(trainer.optimisation, "step", collect)
        next(trainer.epochs())
    assert [len(found) for found in gradients.values()] == [3, 3]  # of 8, 8 and 4 photos
    for one, other in zip(*gradients.values(), strict=True):
        for name, gradient in one.items():
            torch.testing.assert_close(other[name], gradient, rtol=1e-3, atol=1e-5)


def test_recomputed_blocks_change_nothing(make):
    plain, recomputed = (next(make(checkpointing=on, epochs=1).epochs()) for on in (False, True))
    assert_equal_weights(plain["model"], recomputed["model"])


def test_bfloat16_is_of_the_network_alone(make, monkeypatch):
    # With fewer pixels oneDNN reads unset memory in gradients of features of a single pixel.
    plain = next(make(epochs=1, side=32).epochs())
    trainer, seen = make(epochs=1, side=32, precision="bfloat16"), []
    loss, pool = trainer.loss.forward, trainer.net.pool.register_forward_pre_hook
    pool(lambda _, inputs: seen.append(inputs[0].dtype) if trainer.net.training else None)
    monkeypatch.setattr(
        trainer.loss, "forward", lambda d, *rest: seen.append(d.dtype) or loss(d, *rest)
    )
    checkpoint = next(trainer.epochs())
    assert seen == [torch.bfloat16, torch.float32] * (len(seen) // 2)
    assert seen
    assert not torch.equal(weight(plain), weight(checkpoint))
    assert weight(checkpoint).dtype == torch.float32
    assert checkpoint["report"]["loss"] == pytest.approx(plain["report"]["loss"], rel=0.2)


def test_a_compiled_network_keeps_its_names(make, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda embed: compiled.append(embed) or embed)
    plain, other = (next(make(compile=on, epochs=1).epochs()) for on in (False, True))
    assert_equal_weights(plain["model"], other["model"])
    assert len(compiled) == 1


def test_batch_norms_keep_their_statistics(make):
    trainer = make(epochs=1, freeze_bn=True)
    before = {name: value.clone() for name, value in trainer.net.state_dict().items()}
    after = next(trainer.epochs())["model"]
    for name, value in before.items():
        kept = name.endswith(("running_mean", "running_var", "num_batches_tracked"))
        assert torch.equal(value, after[name]) == kept, name


def test_frozen_blocks_stay_and_keep_their_statistics(make, tmp_path):
    torch.save(resnet18().state_dict(), tmp_path / "weights.pth")
    trainer = make(
        arch="resnet18", epochs=1, frozen_blocks=3, weights=str(tmp_path / "weights.pth")
    )
    before = {name: value.clone() for name, value in trainer.net.state_dict().items()}
    after = next(trainer.epochs())["model"]
    frozen = ("backbone.0.", "backbone.1.", "backbone.4.", "backbone.5.0.")
    for name, value in before.items():
        assert torch.equal(value, after[name]) == name.startswith(frozen), name


def test_a_checkpoint_says_what_it_was_made_with(make, split):
    trainer = make(epochs=1, ema=0.5)
    about = next(trainer.epochs())["provenance"]
    assert training_params(**about["parameters"]) == trainer.params
    assert about["versions"]["torch"] == torch.__version__
    assert set(about["versions"]) == {
        *("car_retrieval", "torch", "torchvision", "timm", "pytorch_metric_learning")
    }
    assert about["data"] == trainer.split
    assert about["data"] != make(table=split.assign(Class=split["Class"] + 1)).split
    assert json.loads(json.dumps(about)) == about


def test_an_average_is_resumed_with_one(make):
    with_average = make(ema=0.5)._checkpoint(RATED)
    with pytest.raises(ValueError, match=r"another kind of weights \(training\.ema\)"):
        make().restore(with_average)
    with pytest.raises(ValueError, match=r"another kind of weights \(training\.ema\)"):
        make(ema=0.5).restore(make()._checkpoint(RATED))


def test_another_memory_is_refused(make):
    checkpoint = make("memory")._checkpoint(RATED)
    make("memory").restore(checkpoint)
    for change in ({"memory": 24}, {"memory": 0}):
        with pytest.raises(ValueError, match="another loss"):
            make("memory", **change).restore(checkpoint)
