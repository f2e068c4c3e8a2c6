import math
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from tests import parameters
from tests.conftest import ROOT
from tests.parameters import ablation_params, evaluation_params, training_params

from car_retrieval.params import GROUPS, LopqSearcher, Params, Sampler, WhiteningParams
from car_retrieval.search.lopq.fit import LopqParams

MAKE = {
    "sample": parameters.sample_params,
    "data": parameters.data_params,
    "training": parameters.training_params,
    "encoding": parameters.encoding_params,
    "evaluation": parameters.evaluation_params,
}
TUPLES = {"name": "tuples"}
SOFTMAX = {"name": "TupleSoftmax"}


@pytest.mark.parametrize("group", MAKE)
def test_a_typo_is_named(group):
    with pytest.raises(ValidationError, match=r"sed\n.*not permitted"):
        MAKE[group](sed=3)


@pytest.mark.parametrize("group", MAKE)
def test_values_are_frozen(group):
    with pytest.raises(ValidationError, match="frozen"):
        MAKE[group]().batch_size = 3


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("data", "valid_ratio", 1),
        ("data", "max_rejected_fraction", 1.1),
        ("data", "fill", "pink"),
        ("training", "arch", "vgg16"),
        ("training", "lr", 0),
        ("training", "scale", math.inf),
        ("training", "ema", 1),
        ("training", "warmup_epochs", -1),
        ("training", "patience", 0),
        ("training", "start_epoch", "newest"),
        ("training", "batch_size", "many"),
        ("encoding", "scales", []),
        ("encoding", "scales", [1, -1]),
        ("encoding", "scales", [math.inf]),
        ("encoding", "checkpoint", "worst"),
        ("encoding", "checkpoint", -1),
        ("encoding", "whitening", {"kind": "zca"}),
        ("encoding", "whitening", {"dimension": 8}),
        ("encoding", "whitening", {"kind": "pca", "dimension": 0}),
        ("encoding", "whitening", {"kind": "pca", "power": 1.5}),
        ("evaluation", "k", 0),
        ("evaluation", "false_match_rate", 1),
        ("evaluation", "false_match_rate", math.nan),
        ("evaluation", "reranking", {"kind": "magic"}),
        ("evaluation", "reranking", {"kind": "expansion", "k1": 3}),
        ("evaluation", "reranking", {"kind": "expansion", "alpha": -1}),
        ("evaluation", "reranking", {"kind": "expansion", "alpha": math.inf}),
        ("evaluation", "reranking", {"kind": "kreciprocal", "weight": 0}),
        ("evaluation", "reranking", {"kind": "kreciprocal", "candidates": 0}),
    ],
)
def test_bounds(group, name, value):
    with pytest.raises(ValidationError, match=name):
        MAKE[group](**{name: value})


@pytest.mark.parametrize("arch", ["vit_b_16", "timm/vit_tiny_patch16_224", "resnet18", "swin_t"])
def test_only_a_transformer_has_a_class_token(arch):
    if "vit_" in arch:
        assert training_params(arch=arch, pooling="cls").pooling == "cls"
    else:
        with pytest.raises(ValidationError, match=rf"class token.*{arch}"):
            training_params(arch=arch, pooling="cls")


def test_random_weights_are_not_frozen():
    assert training_params(weights="imagenet", frozen_blocks=5).frozen_blocks == 5
    with pytest.raises(ValidationError, match="frozen_blocks = 5"):
        training_params(weights=None, frozen_blocks=5)


@pytest.mark.parametrize("bounds", [(0, 1), (-1, 1), (1, 0.5), (1, math.inf), (math.nan, 1), (1,)])
def test_brightness_out_of_bounds_is_named(bounds):
    with pytest.raises(ValidationError, match=r"augmentation\.brightness"):
        training_params(augmentation={"brightness": bounds})


@pytest.mark.parametrize("bounds", [(1, 1), (0.1, 3)])
def test_brightness_within_bounds(bounds):
    params = training_params(augmentation={"brightness": bounds})
    assert params.augmentation.brightness == bounds


def test_a_nested_typo_is_named():
    with pytest.raises(ValidationError, match=r"augmentation\.blurr"):
        training_params(augmentation={"blurr": 1})


class TestTuples:
    def test_they_go_together(self):
        params = training_params(loss=SOFTMAX, sampler=TUPLES)
        assert params.sampler.name == "tuples"

    @pytest.mark.parametrize("change", [{"loss": SOFTMAX}, {"sampler": TUPLES}])
    def test_one_alone(self, change):
        with pytest.raises(ValidationError, match="TupleSoftmax and sampler tuples"):
            training_params(**change)

    @given(loss=st.none() | st.integers(1, 6), sampler=st.none() | st.integers(1, 6))
    def test_both_have_as_many_negatives(self, loss, sampler):
        args = [{} if n is None else {"negatives": n} for n in (loss, sampler)]
        wanted = {"loss": SOFTMAX | {"args": args[0]}, "sampler": TUPLES | {"args": args[1]}}
        if (loss or 4) == (sampler or 4):
            training_params(**wanted)
        else:
            with pytest.raises(ValidationError, match="negatives"):
                training_params(**wanted)


def test_a_memory_holds_a_batch():
    for size in (0, 16, 17):
        assert training_params(batch_size=16, memory=size).memory == size
    with pytest.raises(ValidationError, match=r"memory = 15 .* batch_size = 16"):
        training_params(batch_size=16, memory=15)


def test_a_compiled_network_is_not_checkpointed():
    with pytest.raises(ValidationError, match="compile and checkpointing"):
        training_params(compile=True, checkpointing=True)


class TestSearchers:
    def test_kind_decides_the_fields(self):
        lopq, flat = evaluation_params(
            searchers={"a": {"kind": "lopq", "pca": 8}, "b": {"kind": "faiss", "factory": "Flat"}}
        ).searchers.values()
        assert (lopq.pca, lopq.rerank) == (8, 100)
        assert (flat.factory, flat.search) == ("Flat", {})

    def test_the_fields_of_lopq_are_those_of_the_craft(self):
        values = LopqSearcher(kind="lopq").model_dump(exclude={"kind", "rerank"})
        assert LopqParams(**values) == LopqParams()

    def test_null_leaves_one_out(self):
        assert evaluation_params(searchers={"a": None}).searchers == {}

    @pytest.mark.parametrize(
        ("name", "values", "message"),
        [
            ("a", {"kind": "lopq", "quotta": 3}, r"searchers\.a\.lopq\.quotta"),
            ("a", {"kind": "lopq", "bits": 5}, r"searchers\.a\.lopq\.bits"),
            ("a", {"kind": "lopq", "factory": "Flat"}, r"searchers\.a\.lopq\.factory"),
            ("a", {"kind": "faiss"}, r"searchers\.a\.faiss\.factory"),
            ("a", {"kind": "annoy"}, r"searchers\.a"),
            ("a", {"factory": "Flat"}, r"searchers\.a"),
            ("a b", {"kind": "lopq"}, "a b"),
            ("exact", {"kind": "lopq"}, "exact is reserved"),
        ],
    )
    def test_what_is_wrong_is_named(self, name, values, message):
        with pytest.raises(ValidationError, match=message):
            evaluation_params(searchers={name: values})


class TestAblation:
    def test_the_command_line_gives_words_and_a_file_a_list(self):
        recipes = {"default": {}, "a": {"lr": 1}, "b": {}}
        for only in ("a b", ["a", "b"]):
            assert ablation_params(recipes=recipes, only=only).only == ["a", "b"]

    def test_null_leaves_a_recipe_out(self):
        assert ablation_params(recipes={"default": {}, "a": None}).recipes == {"default": {}}

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"only": "a c"}, "no recipe 'c'; .* default, a"),
            ({"baseline": "c"}, "no recipe 'c'"),
            ({"runs": 0}, "runs"),
            ({"budget": {"images": 0}}, r"budget\.images"),
            ({"budget": {"second": 5}}, r"budget\.second"),
            ({"recipes": {"default": {}, "a b": {}}}, "a b"),
            ({"recipes": {"default": {"seed": 3}}}, "seed cannot differ between recipes"),
            ({"recipes": {"default": {"k": 3}}}, "k cannot differ between recipes"),
        ],
    )
    def test_what_is_wrong_is_named(self, changes, message):
        with pytest.raises(ValidationError, match=message):
            ablation_params(**({"recipes": {"default": {}, "a": {}}} | changes))


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("pk", {"photos": 4}),
        ("pk", {"negatives": 4}),
        ("pk", {"photos_per_class": 0}),
        ("tuples", {"photos_per_class": 4}),
        ("shuffle", {"negatives": 4}),
        ("MPerClassSampler", {"photos_per_class": 4}),
        ("MPerClassSampler", {"m": 0}),
        ("pkk", {}),
    ],
)
def test_sampler_arguments(name, args):
    with pytest.raises(ValidationError):
        Sampler(name=name, args=args)


def fields(model: type[BaseModel], values: Any, prefix: str) -> Iterator[tuple[str, bool, bool]]:
    """Each parameter, whether the model has a default for it, and whether conf names it."""
    for name, field in model.model_fields.items():
        named = isinstance(values, Mapping) and name in values
        yield f"{prefix}.{name}", not field.is_required(), named
        for kind in (field.annotation, *get_args(field.annotation)):
            group = isinstance(kind, type) and issubclass(kind, Params)
            whole = kind is WhiteningParams  # one of several kinds, given as a whole
            if named and group and values[name] and not whole:
                yield from fields(kind, values[name], f"{prefix}.{name}")


def test_a_default_has_one_place():
    """Values of conf/base are no defaults of the models; what conf leaves out has one there."""
    for group, model in GROUPS.items():
        text = (ROOT / "conf" / "base" / f"parameters_{group}.yml").read_text()
        for name, default, named in fields(model, yaml.safe_load(text)[group], group):
            assert default != named, name
