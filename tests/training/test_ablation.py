import numpy as np
import pandas as pd
import pytest
from tests.parameters import ablation_params, training_params

from car_retrieval.metrics.verification import sample_pairs
from car_retrieval.training.ablation import fingerprint, planned, train
from car_retrieval.training.validation import Validation

CLASSES, PHOTOS = 4, 6
LABELS = np.repeat(range(CLASSES), PHOTOS - 1)
BASE = training_params(
    epochs=3, batch_size=8, dimension=8, seed=1, k=5, device="cpu", augmentation=None
)
TUPLES = {"loss": {"name": "TupleSoftmax"}, "sampler": {"name": "tuples"}}


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    colours = np.repeat(rng.integers(0, 200, (CLASSES, 3, 1, 1)), PHOTOS, axis=0)
    return (colours + rng.integers(0, 56, (CLASSES * PHOTOS, 3, 32, 32))).astype(np.uint8)


@pytest.fixture(scope="module")
def split():
    table = pd.DataFrame({"Index": range(CLASSES * PHOTOS)})
    table["Hash"] = table["Index"].astype(str)
    table["Class"] = np.repeat(range(CLASSES), PHOTOS)
    return table.assign(split=np.where(table["Index"] % PHOTOS == 0, "valid", "train"))


@pytest.fixture(scope="module")
def pairs(split):
    labels = split.set_index("Index")["Class"]
    rows = [(split["split"] == side).to_numpy() for side in ("valid", "train")]
    return sample_pairs(labels[rows[0]], labels[rows[1]], seed=0)


def recipe(changes=None, base=BASE, data="photos", **budget):
    ablation = ablation_params(recipes={"default": changes or {}}, budget=budget)
    return planned(LABELS, base, ablation, data)["default"]


class TestPlan:
    def test_every_recipe_sees_the_budget(self):
        recipes = {"default": {}, "tuples": TUPLES, "pk": {"sampler": {"name": "pk"}}}
        ablation = ablation_params(recipes=recipes, budget={"images": 100})
        for one in planned(LABELS, BASE, ablation, "").values():
            assert (one.params.epochs, one.params.images_per_epoch) == (5, len(LABELS))

    def test_without_a_budget_epochs_count(self):
        assert recipe().params == BASE.model_copy(update={"images_per_epoch": len(LABELS)})
        assert recipe(TUPLES).params.epochs == BASE.epochs

    def test_images_of_an_epoch_count(self):
        long = BASE.model_copy(update={"images_per_epoch": 3 * len(LABELS)})
        assert recipe(base=long).params.epochs == 3 * BASE.epochs

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"loss": {"name": "ArkFaceLoss"}}, "unknown 'ArkFaceLoss'"),
            ({"loss": {"name": "ArcFaceLoss", "args": {"angle": 3}}}, "ArcFaceLoss: .*angle"),
            ({"miner": {"name": "Nobody"}}, r"training\.miner\.name: unknown 'Nobody'"),
            ({"sampler": {"name": "pk", "args": {"photos_per_class": 3}}}, "not a multiple"),
            ({"memory": 64}, "CrossEntropy does not support a memory"),
        ],
    )
    def test_what_does_not_exist_is_named(self, changes, message):
        with pytest.raises(ValueError, match=rf"^ablation\.recipes\.default: .*{message}"):
            recipe(changes)


class TestTrain:
    @pytest.fixture
    def result(self, images, split, pairs):
        def train_by(seed=7, test=lambda net: {}, **more):
            return train(recipe(**more), seed, images, split, pairs, test)

        return train_by

    def test_the_best_epoch_is_tested(self, result, images, split, pairs):
        validation, tested = Validation(images, split, pairs, BASE.k), []

        def test(net):
            tested.append(validation(net))
            return {"R@1": 0.5}

        found = result(test=test)
        scores = [epoch["mAP@5"] for epoch in found["history"]]
        assert len(scores) == BASE.epochs
        assert found["epoch"] == int(np.argmax(scores))
        assert found["valid"] == found["history"][found["epoch"]]
        assert tested[0]["mAP@5"] == pytest.approx(max(scores))
        assert found["test"] == {"R@1": 0.5}
        assert found["images"] == 60
        for cost in ("seconds", "cpu_seconds"):
            assert 0 < found[cost] == sum(epoch[cost] for epoch in found["history"])

    def test_all_see_as_many_images(self, result):
        tuples, pk = (
            result(changes=changes, seconds=1e-6)["images"]
            for changes in (TUPLES, {"sampler": {"name": "pk"}})
        )
        assert tuples == 24  # four tuples of six photos reach 20
        assert pk == 24  # three batches of eight

    def test_the_seed_decides(self, result):
        first, again, other = (
            [epoch["loss"] for epoch in result(seed, seconds=1e-6)["history"]] for seed in (7, 7, 8)
        )
        assert first == again != other

    def test_a_limit_of_seconds_ends_it_after_an_epoch(self, result):
        assert len(result(seconds=1e-6)["history"]) == 1

    def test_patience_ends_it(self, result):
        still = BASE.model_copy(update={"lr": 1e-12, "epochs": 9, "patience": 2})
        assert len(result(base=still)["history"]) < 9

    def test_a_loss_that_is_no_number_leaves_no_score(self, result, caplog):
        found = result(base=BASE.model_copy(update={"lr": 1e30}))
        assert (found["epoch"], found["valid"], found["test"]) == (None, {}, {})
        assert "recipe default, seed 7: training: the loss is" in caplog.text

    def test_it_is_known_again(self, result):
        found = result()
        assert recipe().made(found)
        assert recipe(base=BASE.model_copy(update={"seed": 9, "device": "auto"})).made(found)
        for other in (
            recipe({"lr": 0.5}),
            recipe({"sampler": {"name": "pk"}}),
            recipe(images=100),
            recipe(seconds=9),
            recipe(data="other photos"),
        ):
            assert not other.made(found)

    def test_a_result_of_another_version(self, result):
        found = result(seconds=1e-6)
        new = recipe(seconds=1e-6)
        older = {k: v for k, v in found["parameters"].items() if k != "ema"}
        assert not new.made(found | {"parameters": older})  # what it was then is not known
        assert not new.made(found | {"parameters": found["parameters"] | {"momentum": 1}})
        assert not new.made({"recipe": "default"})


class TestFingerprint:
    def test_equal_for_equal(self, images, split):
        assert fingerprint((images, split)) == fingerprint((images.copy(), split.copy()))

    def test_images_lists_and_their_order_count(self, images, split):
        brighter, other = images.copy(), split.copy()
        brighter[3] += 1
        other.loc[3, "split"] = "valid"
        pairs = [
            [(images, split)],
            [(brighter, split)],
            [(images, other)],
            [(images, split), (images, split)],
        ]
        assert len({fingerprint(*each) for each in pairs}) == len(pairs)
