"""Parameters of the pipeline `training`."""

import re
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from car_retrieval.params.base import Count, Factor, Fraction, Params

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


class Named(Params):
    """A class chosen by name, with its keyword arguments."""

    name: str = Field(description="of a class, here or of pytorch-metric-learning")
    args: dict[str, Any] = Field(default={}, description="its keyword arguments")


SAMPLER_ARGS: dict[str, set[str]] = {
    "pk": {"photos_per_class"},
    "shuffle": set(),
    "tuples": {"negatives"},
    "MPerClassSampler": {"m", "length_before_new_iter"},
}


class Sampler(Params):
    """What meets in a training batch, with the sampler's keyword arguments."""

    name: Literal["pk", "shuffle", "tuples", "MPerClassSampler"] = Field(
        description="P classes of K photos, all photos in turn, tuples, or the library's"
    )
    args: dict[str, Count] = Field(default={}, description="`photos_per_class`; `negatives`; `m`")

    @model_validator(mode="after")
    def _args_fit(self) -> "Sampler":
        if other := ", ".join(sorted(set(self.args) - SAMPLER_ARGS[self.name])):
            raise ValueError(f"the sampler {self.name} has no argument {other}")
        return self


class AugmentationParams(Params):
    """Random changes of training images, meant for the gap from web to surveillance photos."""

    crop: Fraction = Field(default=0.4, description="largest share of area zoomed away or added")
    rotation: Annotated[float, Field(ge=0, le=180)] = Field(default=5.0, description="degrees")
    flip: Fraction = Field(default=0.5, description="share of images mirrored")
    brightness: Annotated[tuple[Factor, Factor], AfterValidator(_rising)] = Field(
        default=(0.25, 1.15), description="range of factors"
    )
    contrast: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.3, description="largest change")
    saturation: Fraction = Field(default=0.0, description="largest change")
    hue: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.5, description="largest share of a turn"
    )
    grey: Fraction = Field(default=0.0, description="share of images without colour")
    blur: Fraction = Field(default=0.3, description="share of images blurred")
    noise: Annotated[float, Field(ge=0)] = Field(
        default=0.06, description="largest standard deviation"
    )
    erase: Fraction = Field(default=0.0, description="share of images with a painted rectangle")


class TrainingParams(Params):
    """The network and how it is trained (`parameters_training.yml`)."""

    arch: Annotated[str, AfterValidator(_network)] = Field(
        "resnet18", description="of torchvision, or timm/<name>"
    )
    weights: str | None = Field(
        None, description="`imagenet`, the path of a state dict of the backbone, or none"
    )
    dimension: Count | None = Field(None, description="of the descriptor; none: the backbone's")
    normalisation: Literal["weights", "imagenet", "image"] = Field(
        "weights",
        description="of the pixels: by the mean and deviation that the network's weights were "
        "trained with, by ImageNet's, or by each photo's own",
    )
    pooling: Literal["gem", "average", "max", "cls", "gem_max"] = Field(
        "gem", description="of the feature map, or `cls`: a transformer's class token"
    )
    neck: Literal["none", "bnneck"] = Field("none", description="batch normalisation, or none")
    loss: Named = Field(
        Named(name="CrossEntropy", args={"label_smoothing": 0.1}), description="what is learnt"
    )
    memory: Annotated[int, Field(ge=0)] = Field(
        0, description="descriptors of earlier batches that a pair loss sees too; 0: none"
    )
    miner: Named | None = Field(None, description="which pairs of a batch a loss sees; none: all")
    sampler: Sampler = Field(Sampler(name="shuffle"), description="what meets in a batch")
    epochs: Annotated[int, Field(ge=0)] = Field(
        6, description="of the whole run, resumed ones included; 0: the network as it is"
    )
    images_per_epoch: Count | None = Field(
        None, description="after which an epoch ends, in as many passes as that takes; none: one"
    )
    batch_size: Annotated[int, Field(ge=2)] = Field(32, description="images")
    accumulation: Count = Field(1, description="batches a step; a loss sees one at a time")
    lr: Annotated[float, Field(gt=0)] = Field(1e-3, description="learning rate of AdamW")
    backbone_lr: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        1.0, description="factor on lr for the backbone; pretrained weights often want less"
    )
    loss_lr: Factor = Field(1.0, description="factor on lr for the loss's own weights")
    warmup_epochs: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        0.0, description="in which lr rises from 0, step by step"
    )
    schedule: Literal["step", "cosine"] = Field(
        "step", description="lr shrinks by lr_shrink each epoch, or each step by a half cosine to 0"
    )
    lr_shrink: Annotated[float, Field(gt=0, le=1)] = Field(0.9, description="factor per epoch")
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        0.02, description="of layers' weights; norms, biases, embeddings, scales, GeM's p: none"
    )
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="decay of the average of weights that is validated and kept; 0: none"
    )
    frozen_blocks: Annotated[int, Field(ge=0)] = Field(
        0, description="of the backbone, that keep their weights, with the layers before them"
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
    scale: Factor | tuple[Factor, Factor] = Field(
        1.0, description="resizes training images; two: of the first epoch and of the last"
    )
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
    device: str = Field("auto", description="CUDA if there is one, else `cpu`; or `cuda:1`")
    seed: Annotated[int, Field(ge=0)] = Field(7, description="of weights, batches and augmentation")

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
