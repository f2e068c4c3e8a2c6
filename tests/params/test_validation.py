import pytest
from tests import parameters

from car_retrieval.params.validation import check_parameters


def whole(given):
    """The parameters of these groups, of which some are given."""
    return {
        group: parameters.of(group, values) if hasattr(parameters, group.upper()) else values
        for group, values in given.items()
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trainin": {"epochs": 2}}, "trainin.epochs: unknown; did you mean training.epochs?"),
        ({"epochs": 2}, "epochs: unknown; did you mean training.epochs?"),
        ({"training": {"epoch": 2}}, "training.epoch: unknown; did you mean training.epochs?"),
        ({"training": {"seeds": 2}}, "training.seeds: unknown; did you mean training.seed?"),
        (
            {"training": {"image_size": 64}},
            "training.image_size: unknown; did you mean data_processing.image_size?",
        ),
        (
            {"training": {"augmentation": {"blurr": 1}}},
            "training.augmentation.blurr: unknown; did you mean training.augmentation.blur?",
        ),
        (
            {"data_processing": {"crop_to_box": True}},
            "data_processing.crop_to_box: now data_processing.crop: box for true, none for false",
        ),
        ({"scales": [1]}, "scales: unknown; did you mean encoding.scales?"),
        ({"zzz": {"qqq": 1}}, "zzz.qqq: unknown"),
        ({"trainin": {}}, "trainin: unknown; did you mean training?"),
        (
            {"training": {"arch": "resnet35"}},
            "training.arch: no network 'resnet35' in torchvision (timm's are timm/<name>); did you "
            "mean resnet50?",
        ),
        (
            {"training": {"epochs": -1}, "encoding": {"scale": 1}},
            "training.epochs: Input should be greater than or equal to 0; "
            "encoding.scale: unknown; did you mean encoding.scales?",
        ),
    ],
)
def test_a_mistake_is_one_line_that_says_what_was_meant(given, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        check_parameters(whole(given))
    assert str(error.value) == f"parameters: {message}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lrr": 1}, "ablation.recipes.mine.lrr: unknown; did you mean training.lr?"),
        ({"lr": -1}, "ablation.recipes.mine.lr: Input should be greater than 0"),
        (
            {"augmentation": {"blurr": 1}},
            "ablation.recipes.mine.augmentation.blurr: unknown; did you mean "
            "training.augmentation.blur?",
        ),
        (
            {"loss": {"name": "TupleSoftmax"}},
            "ablation.recipes.mine: loss TupleSoftmax and sampler tuples only work together",
        ),
    ],
)
def test_a_mistake_in_a_recipe(changes, message):
    given = {"training": {}, "ablation": {"recipes": {"default": {}, "mine": changes}}}
    with pytest.raises(ValueError) as error:  # noqa: PT011
        check_parameters(whole(given))
    assert str(error.value) == f"parameters: {message}"


def test_a_recipe_is_checked_over_the_parameters_of_training():
    pair = {"loss": {"name": "TupleSoftmax"}, "sampler": {"name": "tuples"}}
    recipes = {"default": {}, "mine": {"loss": {"name": "TupleSoftmax"}}}
    check_parameters(whole({"training": pair, "ablation": {"recipes": recipes}}))


def test_what_is_right_passes():
    given = {"training": {"arch": "timm/convnext_tiny", "miner": None}, "evaluation": {}}
    check_parameters(whole(given))


def test_a_parameter_that_conf_no_longer_gives_is_named():
    given = whole({"encoding": {}})
    del given["encoding"]["flip"]
    with pytest.raises(ValueError, match=r"^parameters: encoding\.flip: "):
        check_parameters(given)
