import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from car_retrieval.params import (
    AblationParams,
    DataParams,
    EncodingParams,
    EvaluationParams,
    LopqSearcher,
    SampleParams,
    Sampler,
    TrainingParams,
)
from car_retrieval.search.lopq.fit import LopqParams

GROUPS = [DataParams, EncodingParams, EvaluationParams, SampleParams, TrainingParams]
TUPLES = {"name": "tuples"}
SOFTMAX = {"name": "TupleSoftmax"}


@pytest.mark.parametrize("group", GROUPS)
def test_a_typo_is_named(group):
    with pytest.raises(ValidationError, match=r"sed\n.*not permitted"):
        group(sed=3)


@pytest.mark.parametrize("group", GROUPS)
def test_values_are_frozen(group):
    with pytest.raises(ValidationError, match="frozen"):
        group().batch_size = 3


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        (DataParams, "valid_ratio", 1),
        (DataParams, "max_rejected_fraction", 1.1),
        (DataParams, "fill", "pink"),
        (DataParams, "queries", "train"),
        (DataParams, "workers", 0),
        (TrainingParams, "arch", "vgg16"),
        (TrainingParams, "lr", 0),
        (TrainingParams, "scale", math.inf),
        (TrainingParams, "ema", 1),
        (TrainingParams, "warmup_epochs", -1),
        (TrainingParams, "schedule", "linear"),
        (TrainingParams, "precision", "float16"),
        (TrainingParams, "select_by", "R@1"),
        (TrainingParams, "patience", 0),
        (TrainingParams, "accumulation", 0),
        (DataParams, "validate_by", "photo"),
        (TrainingParams, "start_epoch", "newest"),
        (TrainingParams, "batch_size", "many"),
        (EncodingParams, "scales", []),
        (EncodingParams, "scales", [1, -1]),
        (EncodingParams, "scales", [0]),
        (EncodingParams, "scales", [math.inf]),
        (EncodingParams, "checkpoint", "worst"),
        (EncodingParams, "checkpoint", -1),
        (EncodingParams, "flip", "perhaps"),
        (EncodingParams, "whitening", {"kind": "zca"}),
        (EncodingParams, "whitening", {"dimension": 8}),
        (EncodingParams, "whitening", {"kind": "pca", "dimension": 0}),
        (EncodingParams, "whitening", {"kind": "pca", "power": 1.5}),
        (EvaluationParams, "k", 0),
        (EvaluationParams, "recall_at", [0]),
        (EvaluationParams, "false_match_rate", 1),
        (EvaluationParams, "false_match_rate", -0.1),
        (EvaluationParams, "false_match_rate", math.nan),
        (EvaluationParams, "reranking", {"kind": "magic"}),
        (EvaluationParams, "reranking", {"kind": "expansion", "k1": 3}),
        (EvaluationParams, "reranking", {"kind": "expansion", "alpha": -1}),
        (EvaluationParams, "reranking", {"kind": "expansion", "alpha": math.inf}),
        (EvaluationParams, "reranking", {"kind": "kreciprocal", "weight": 0}),
        (EvaluationParams, "reranking", {"kind": "kreciprocal", "candidates": 0}),
    ],
)
def test_bounds(group, name, value):
    with pytest.raises(ValidationError, match=name):
        group(**{name: value})


@pytest.mark.parametrize("arch", ["vit_b_16", "timm/vit_tiny_patch16_224", "resnet18", "swin_t"])
def test_only_a_transformer_has_a_class_token(arch):
    if "vit_" in arch:
        assert TrainingParams(arch=arch, pooling="cls").pooling == "cls"
    else:
        with pytest.raises(ValidationError, match=f"class token, which {arch} has not"):
            TrainingParams(arch=arch, pooling="cls")


@pytest.mark.parametrize("bounds", [(0, 1), (-1, 1), (1, 0.5), (1, math.inf), (math.nan, 1), (1,)])
def test_brightness_out_of_bounds_is_named(bounds):
    with pytest.raises(ValidationError, match=r"augmentation\.brightness"):
        TrainingParams(augmentation={"brightness": bounds})


@pytest.mark.parametrize("bounds", [(1, 1), (0.1, 3)])
def test_brightness_within_bounds(bounds):
    params = TrainingParams(augmentation={"brightness": bounds})
    assert params.augmentation.brightness == bounds


def test_a_nested_typo_is_named():
    with pytest.raises(ValidationError, match=r"augmentation\.blurr"):
        TrainingParams(augmentation={"blurr": 1})


class TestTuples:
    def test_they_go_together(self):
        params = TrainingParams(loss=SOFTMAX, sampler=TUPLES)
        assert params.sampler.name == "tuples"

    @pytest.mark.parametrize("change", [{"loss": SOFTMAX}, {"sampler": TUPLES}])
    def test_one_alone(self, change):
        with pytest.raises(ValidationError, match="TupleSoftmax and sampler tuples"):
            TrainingParams(**change)

    @settings(deadline=None)
    @given(loss=st.none() | st.integers(1, 6), sampler=st.none() | st.integers(1, 6))
    def test_both_have_as_many_negatives(self, loss, sampler):
        args = [{} if n is None else {"negatives": n} for n in (loss, sampler)]
        wanted = {"loss": SOFTMAX | {"args": args[0]}, "sampler": TUPLES | {"args": args[1]}}
        if (loss or 4) == (sampler or 4):
            TrainingParams(**wanted)
        else:
            with pytest.raises(ValidationError, match="negatives"):
                TrainingParams(**wanted)


def test_a_memory_holds_a_batch():
    for size in (0, 16, 17):
        assert TrainingParams(batch_size=16, memory=size).memory == size
    with pytest.raises(ValidationError, match=r"memory = 15 .* batch_size = 16"):
        TrainingParams(batch_size=16, memory=15)


def test_a_compiled_network_is_not_checkpointed():
    with pytest.raises(ValidationError, match="compile and checkpointing"):
        TrainingParams(compile=True, checkpointing=True)


class TestSearchers:
    def test_kind_decides_the_fields(self):
        lopq, flat = EvaluationParams(
            searchers={"a": {"kind": "lopq", "pca": 8}, "b": {"kind": "faiss", "factory": "Flat"}}
        ).searchers.values()
        assert (lopq.pca, lopq.rerank) == (8, 100)
        assert (flat.factory, flat.search) == ("Flat", {})

    def test_the_fields_of_lopq_are_those_of_the_craft(self):
        values = LopqSearcher(kind="lopq").model_dump(exclude={"kind", "rerank"})
        assert LopqParams(**values) == LopqParams()

    def test_null_leaves_one_out(self):
        assert EvaluationParams(searchers={"a": None}).searchers == {}

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
            EvaluationParams(searchers={name: values})


class TestAblation:
    def test_the_command_line_gives_words_and_a_file_a_list(self):
        recipes = {"default": {}, "a": {"lr": 1}, "b": {}}
        for only in ("a b", ["a", "b"]):
            assert AblationParams(recipes=recipes, only=only).only == ["a", "b"]

    def test_null_leaves_a_recipe_out(self):
        assert AblationParams(recipes={"default": {}, "a": None}).recipes == {"default": {}}

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"only": "a c"}, "no recipe 'c'; choose among default, a"),
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
            AblationParams(**({"recipes": {"default": {}, "a": {}}} | changes))


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
