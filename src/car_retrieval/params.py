"""Every parameter of the project, with its type, bounds and meaning: a typo is an error."""

import re
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from car_retrieval.images.letterbox import Fill

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
FAMILIES: dict[str, tuple[str, ...]] = {
    "resnet": ("18", "34", "50", "101", "152"),
    "convnext_": ("tiny", "small", "base", "large"),
    "efficientnet_": (*(f"b{number}" for number in range(8)), "v2_s", "v2_m", "v2_l"),
    "vit_": ("b_16", "b_32", "l_16", "l_32", "h_14"),
    "swin_": ("t", "s", "b", "v2_t", "v2_s", "v2_b"),
}
NETWORKS = tuple(family + size for family, sizes in FAMILIES.items() for size in sizes)


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the lower bound {bounds[0]} lies above the upper bound {bounds[1]}")
    return bounds


def _network(arch: str) -> str:
    if arch not in NETWORKS and not re.fullmatch("timm/.+", arch):
        near = get_close_matches(arch, NETWORKS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose among {', '.join(NETWORKS)}"
        raise ValueError(f"there is no network '{arch}', nor is it timm/<name>; {hint}")
    return arch


class Params(BaseModel):
    """Base of all parameter groups: unknown names are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SampleParams(Params):
    """The drawn miniature of CompCars (`parameters_sample_data.yml`)."""

    models: Annotated[int, Field(ge=3)] = 30
    web_photos: Count = 900
    surveillance_photos: Count = 300
    surveillance_models: Count = 20
    width: Annotated[int, Field(ge=32)] = 192
    seed: Annotated[int, Field(ge=0)] = 7


class DataParams(Params):
    """Listing, packing and splitting (`parameters_data_processing.yml`)."""

    front_views: list[int] = Field([1, 4], description="viewpoints of the gallery")
    rear_views: list[int] = Field([2, 5], description="viewpoints listed in car_rear")
    queries: Literal["all", "test"] = Field("all", description="surveillance list to query with")
    image_size: Annotated[int, Field(ge=16)] = Field(224, description="pixels a side")
    crop_to_box: bool = Field(False, description="cut photos to their labelled box")
    fill: Fill = Field("gaussian", description="what surrounds a letterboxed photo")
    max_rejected_fraction: Fraction = Field(0.01, description="more unusable photos stop the run")
    validate_by: Literal["image", "class"] = Field(
        "image", description="with photos of trained classes, or with classes that none trains"
    )
    valid_ratio: Annotated[int, Field(ge=2)] = Field(
        7, description="one photo, or class, in so many validates"
    )
    twins: Literal["exclude", "keep"] = Field(
        "exclude", description="training on one photo filed under two classes"
    )
    workers: Count = Field(2, description="decoding threads")
    seed: Annotated[int, Field(ge=0)] = 7


class Named(Params):
    """A class chosen by name, with its keyword arguments."""

    name: str
    args: dict[str, Any] = {}


SAMPLER_ARGS: dict[str, set[str]] = {
    "pk": {"photos_per_class"},
    "shuffle": set(),
    "tuples": {"negatives"},
    "MPerClassSampler": {"m", "length_before_new_iter"},
}


class Sampler(Params):
    """What meets in a training batch, with the sampler's keyword arguments."""

    name: Literal["pk", "shuffle", "tuples", "MPerClassSampler"]
    args: dict[str, Count] = {}

    @model_validator(mode="after")
    def _args_fit(self) -> "Sampler":
        if other := ", ".join(sorted(set(self.args) - SAMPLER_ARGS[self.name])):
            raise ValueError(f"the sampler {self.name} has no argument {other}")
        return self


class AugmentationParams(Params):
    """Random changes of training images, meant for the gap from web to surveillance photos."""

    crop: Fraction = Field(default=0.4, description="largest share of area zoomed away or added")
    rotation: Annotated[float, Field(ge=0, le=180)] = Field(default=5.0, description="degrees")
    flip: Fraction = 0.5
    brightness: Annotated[tuple[Factor, Factor], AfterValidator(_rising)] = Field(
        default=(0.25, 1.15), description="range of factors"
    )
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.3
    saturation: Fraction = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.5
    grey: Fraction = 0.0
    blur: Fraction = 0.3
    noise: Annotated[float, Field(ge=0)] = Field(
        default=0.06, description="largest standard deviation"
    )
    erase: Fraction = 0.0


class TrainingParams(Params):
    """The network and how it is trained (`parameters_training.yml`)."""

    arch: Annotated[str, AfterValidator(_network)] = Field(
        "resnet18", description="of torchvision, or timm/<name>"
    )
    weights: str | None = Field(
        None, description="`imagenet`, the path of a state dict of the backbone, or none"
    )
    dimension: Count | None = Field(None, description="of the descriptor; none: the backbone's")
    normalisation: Literal["imagenet", "image"] = Field(
        "imagenet", description="of the pixels: by ImageNet's or by each image's own statistics"
    )
    pooling: Literal["gem", "average", "max", "cls", "gem_max"] = Field(
        "gem", description="of the feature map, or `cls`: a transformer's class token"
    )
    neck: Literal["none", "bnneck"] = Field("none", description="batch normalisation, or none")
    loss: Named = Named(name="CosFaceLoss", args={"margin": 0.0, "scale": 16})
    memory: Annotated[int, Field(ge=0)] = Field(
        0, description="descriptors of earlier batches that a pair loss sees too; 0: none"
    )
    miner: Named | None = None
    sampler: Sampler = Sampler(name="shuffle")
    epochs: Count = 6
    images_per_epoch: Count | None = Field(
        None, description="an epoch ends with the batch that reaches it; none: all of the sampler's"
    )
    batch_size: Annotated[int, Field(ge=2)] = 32
    accumulation: Count = Field(1, description="batches a step; a loss sees one at a time")
    lr: Annotated[float, Field(gt=0)] = 1e-3
    loss_lr: Factor = Field(1.0, description="factor on lr for the loss's own weights")
    warmup_epochs: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        0.0, description="in which lr rises from 0, step by step"
    )
    schedule: Literal["step", "cosine"] = Field(
        "step", description="lr shrinks by lr_shrink each epoch, or each step by a half cosine to 0"
    )
    lr_shrink: Annotated[float, Field(gt=0, le=1)] = Field(0.9, description="factor per epoch")
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        0.02, description="of weights; norms, biases and GeM's p have none"
    )
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="decay of the average of weights that is validated and kept; 0: none"
    )
    freeze_bn: bool = Field(
        False, description="keep the batch norms' statistics as the backbone's weights bring them"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the network in training"
    )
    compile: bool = Field(False, description="by torch.compile: takes a while, then is faster")
    checkpointing: bool = Field(
        False, description="compute each block again in the backward pass: less memory, more time"
    )
    scale: Factor = Field(1.0, description="resizes training images")
    augmentation: AugmentationParams | None = AugmentationParams()
    patience: Count | None = Field(
        None, description="epochs without a better score that end the training; none: never"
    )
    select_by: Literal["mAP@k", "MAP@R"] = Field(
        "mAP@k", description="the validation score of the best epoch"
    )
    start_epoch: Annotated[int, Field(ge=-1)] | Literal["latest"] = Field(
        -1, description="resume after this epoch; -1 starts afresh"
    )
    show_batch: Count = Field(5, description="batches between two log lines")
    k: Count = Field(20, description="of the validation's mAP@k")
    device: str = "auto"
    seed: Annotated[int, Field(ge=0)] = 7

    @model_validator(mode="after")
    def _pooling_fits(self) -> "TrainingParams":
        if self.pooling == "cls" and not self.arch.startswith(("vit_", "timm/")):
            raise ValueError(f"pooling cls needs a class token, which {self.arch} has not")
        return self

    @model_validator(mode="after")
    def _tuples_go_together(self) -> "TrainingParams":
        if (self.loss.name == "TupleSoftmax") != (self.sampler.name == "tuples"):
            raise ValueError("the loss TupleSoftmax and the sampler tuples need each other")
        if self.loss.args.get("negatives", 4) != self.sampler.args.get("negatives", 4):
            raise ValueError("the loss and the sampler tuples differ in their negatives")
        return self

    @model_validator(mode="after")
    def _a_batch_fits_the_memory(self) -> "TrainingParams":
        if 0 < self.memory < self.batch_size:
            raise ValueError(f"memory = {self.memory} does not hold a batch of {self.batch_size}")
        return self

    @model_validator(mode="after")
    def _compiled_blocks_recompute_by_themselves(self) -> "TrainingParams":
        if self.compile and self.checkpointing:
            raise ValueError("torch.compile cannot take checkpointing: choose one of them")
        return self


class WhiteningParams(Params):
    """Whitening of descriptors; see `car_retrieval.search.whitening.fit_whitening`."""

    kind: Literal["pca", "learnt"]
    dimension: Count | None = Field(None, description="components kept; none: all")
    power: Fraction = Field(1.0, description="of the deviation that is divided by")
    photos: Count = Field(20_000, description="training photos it is fitted to, at most")
    seed: Annotated[int, Field(ge=0)] = 7


class EncodingParams(Params):
    """Descriptors of a collection (`parameters_encoding.yml`)."""

    checkpoint: Literal["best"] | Annotated[int, Field(ge=0)] = "best"
    scales: Annotated[list[Factor], Field(min_length=1)] = [1.0]
    flip: bool = Field(False, description="describe each photo and its mirror image as one")
    whitening: WhiteningParams | None = None
    batch_size: Count = 64
    device: str = "auto"


class LopqSearcher(Params):
    """Search by LOPQ; see `car_retrieval.search.lopq.fit.LopqParams`."""

    kind: Literal["lopq"]
    splits: Literal[1, 2] = 2
    coarse: Count = Field(8, description="centroids of a split")
    subquantisers: Count = Field(32, description="code words of a vector")
    bits: Literal[4, 8] = Field(8, description="of a code word")
    codebooks: Literal["local", "shared"] = "local"
    pca: Count | None = Field(None, description="components kept; none: the vectors as they are")
    whiten: bool = False
    quota: Count | None = Field(None, description="points looked at, at least; none: all")
    rerank: Annotated[int, Field(ge=0)] = Field(100, description="candidates; 0: none")


class FaissSearcher(Params):
    """Search by an index of faiss's factory."""

    kind: Literal["faiss"]
    factory: Annotated[str, Field(min_length=1)]
    search: dict[str, float] = Field({}, description="faiss's own names, such as nprobe")
    rerank: Annotated[int, Field(ge=0)] = Field(100, description="candidates; 0: none")


SearcherParams = Annotated[LopqSearcher | FaissSearcher, Field(discriminator="kind")]


def _not_exact(name: str) -> str:
    if name == "exact":
        raise ValueError("exact search is always there: choose another name")
    return name


SearcherName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$"), AfterValidator(_not_exact)]


def _without_null(searchers: Any) -> Any:
    """An environment cannot take a key away, but can set it to null."""
    if not isinstance(searchers, dict):
        return searchers
    return {name: values for name, values in searchers.items() if values is not None}


class ExpansionParams(Params):
    """Averages with nearest photos; see `car_retrieval.search.expansion`."""

    kind: Literal["expansion"]
    queries: Annotated[int, Field(ge=0)] = Field(5, description="hits that a query takes in")
    gallery: Annotated[int, Field(ge=0)] = Field(
        0, description="neighbours that a gallery photo takes in"
    )
    alpha: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        3.0, description="exponent of a similarity that makes it a weight"
    )


class KReciprocalParams(Params):
    """Re-ranking by common neighbours; see `car_retrieval.search.kreciprocal.KReciprocal`."""

    kind: Literal["kreciprocal"]
    k1: Count = Field(20, description="nearest neighbours that may be reciprocal")
    k2: Count = Field(6, description="photos, itself included, that a set is averaged over")
    weight: Annotated[float, Field(gt=0, le=1)] = Field(0.3, description="of the original distance")
    candidates: Count = Field(200, description="first hits that are ranked anew")


RerankingParams = Annotated[ExpansionParams | KReciprocalParams, Field(discriminator="kind")]


class EvaluationParams(Params):
    """Search and scores (`parameters_evaluation.yml`)."""

    k: Count = Field(20, description="of mAP@k")
    recall_at: Annotated[list[Count], Field(min_length=1)] = [1, 5, 20]
    min_class_size: Count = Field(58, description="gallery photos a class of `filtered` has")
    batch_size: Count = Field(1024, description="queries searched at a time")
    reranking: RerankingParams | None = Field(None, description="of exact search's hits")
    shown_queries: Count = Field(5, description="rows of a picture gallery")
    false_match_rate: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.01, description="unknown cars that may get a match, not `no match`"
    )
    seed: Annotated[int, Field(ge=0)] = 7
    searchers: Annotated[dict[SearcherName, SearcherParams], BeforeValidator(_without_null)] = (
        Field({}, description="compared with exact search; null leaves one out")
    )


class Budget(Params):
    """How long each recipe of an ablation trains."""

    images: Count | None = Field(
        default=None, description="seen by each run, in whole epochs; none: `epochs` times all"
    )
    seconds: Factor | None = Field(
        default=None, description="of training, after which no further epoch begins; none: no limit"
    )


def _names(names: Any) -> Any:
    """The command line gives words where a file gives a list."""
    return names.split() if isinstance(names, str) else names


RecipeName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
OF_ALL_RECIPES = ("epochs", "images_per_epoch", "k", "seed", "select_by", "start_epoch")


class AblationParams(Params):
    """Recipes of training against each other (`parameters_ablation.yml`)."""

    runs: Count = Field(1, description="of each recipe, with seeds from `seed` on")
    seed: Annotated[int, Field(ge=0)] = 7
    budget: Budget = Budget()
    baseline: RecipeName = Field("default", description="whose quality the others are to reach")
    only: Annotated[list[RecipeName] | None, BeforeValidator(_names)] = Field(
        default=None, description="recipes to train, words or a list; none: all"
    )
    recipes: Annotated[dict[RecipeName, dict[str, Any]], BeforeValidator(_without_null)] = Field(
        {"default": {}}, description="what each changes in `training`; null leaves one out"
    )

    @model_validator(mode="after")
    def _names_are_recipes(self) -> "AblationParams":
        for name in (self.baseline, *(self.only or [])):
            if name not in self.recipes:
                known = ", ".join(self.recipes)
                raise ValueError(f"there is no recipe {name!r}; choose among {known}")
        for recipe, changes in self.recipes.items():
            if fixed := [name for name in OF_ALL_RECIPES if name in changes]:
                raise ValueError(
                    f"recipes.{recipe}: {', '.join(fixed)} cannot differ between recipes"
                )
        return self


GROUPS: dict[str, type[Params]] = {
    "sample_data": SampleParams,
    "data_processing": DataParams,
    "training": TrainingParams,
    "encoding": EncodingParams,
    "evaluation": EvaluationParams,
    "ablation": AblationParams,
}
