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
        raise ValueError(f"lower bound {bounds[0]} exceeds upper bound {bounds[1]}")
    return bounds


def _network(arch: str) -> str:
    if arch not in NETWORKS and not re.fullmatch("timm/.+", arch):
        near = get_close_matches(arch, NETWORKS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(NETWORKS)}"
        raise ValueError(f"no network '{arch}' in torchvision (timm's are timm/<name>); {hint}")
    return arch


class Named(Params):
    """Class by name, with keyword arguments."""

    name: str = Field(description="class of this project or pytorch-metric-learning")
    args: dict[str, Any] = Field(default={}, description="keyword arguments of the class")


SAMPLER_ARGS: dict[str, set[str]] = {
    "pk": {"photos_per_class"},
    "shuffle": set(),
    "tuples": {"negatives"},
    "MPerClassSampler": {"m", "length_before_new_iter"},
}


class Sampler(Params):
    """Batch sampler and its keyword arguments."""

    name: Literal["pk", "shuffle", "tuples", "MPerClassSampler"] = Field(
        description="`pk`: P classes of K photos; `shuffle`: all photos once; `tuples`: for "
        "TupleSoftmax; or pytorch-metric-learning's"
    )
    args: dict[str, Count] = Field(
        default={}, description="arguments: `photos_per_class`, `negatives` or `m`"
    )

    @model_validator(mode="after")
    def _args_fit(self) -> "Sampler":
        if other := ", ".join(sorted(set(self.args) - SAMPLER_ARGS[self.name])):
            raise ValueError(f"sampler {self.name} has no argument {other}")
        return self


class AugmentationParams(Params):
    """Training augmentation for the domain gap from web to surveillance photos."""

    crop: Fraction = Field(description="largest share of area cropped or padded")
    rotation: Annotated[float, Field(ge=0, le=180)] = Field(description="largest angle in degrees")
    flip: Fraction = Field(description="share of images mirrored")
    brightness: Annotated[tuple[Factor, Factor], AfterValidator(_rising)] = Field(
        description="range of brightness factors"
    )
    contrast: Annotated[float, Field(ge=0, lt=1)] = Field(description="largest change of contrast")
    saturation: Fraction = Field(description="largest change of saturation")
    hue: Annotated[float, Field(ge=0, le=0.5)] = Field(
        description="largest hue shift as a share of a full turn"
    )
    grey: Fraction = Field(description="share of images made grey")
    blur: Fraction = Field(description="share of images blurred")
    noise: Annotated[float, Field(ge=0)] = Field(
        description="largest standard deviation of the noise, for values in 0…1"
    )
    erase: Fraction = Field(description="share of images with an erased rectangle")


class TrainingParams(Params):
    """Network and training (`parameters_training.yml`)."""

    arch: Annotated[str, AfterValidator(_network)] = Field(
        description="torchvision network, or timm/<name>"
    )
    weights: str | None = Field(
        description="`imagenet`, the path of a state dict of the backbone, or null for random",
    )
    dimension: Count | None = Field(
        description="descriptor dimension; null: the backbone's number of channels"
    )
    normalisation: Literal["weights", "imagenet", "image"] = Field(
        description="source of the pixel mean and deviation: the pretrained weights, ImageNet, or "
        "each photo",
    )
    pooling: Literal["gem", "average", "max", "cls", "gem_max"] = Field(
        description="pooling of the feature map; `cls`: a transformer's class token instead"
    )
    neck: Literal["none", "bnneck"] = Field(
        description="layer after the projection; `bnneck`: batch normalisation"
    )
    loss: Named = Field(
        Named(name="CrossEntropy", args={"label_smoothing": 0.1}), description="training loss"
    )
    memory: Annotated[int, Field(ge=0)] = Field(
        description="cross-batch memory of a pair loss, in descriptors; 0: none"
    )
    miner: Named | None = Field(None, description="miner that selects pairs; null: all pairs")
    sampler: Sampler = Field(Sampler(name="shuffle"), description="batch sampler")
    epochs: Annotated[int, Field(ge=0)] = Field(
        description="total number of epochs, resumed ones included; 0: no training"
    )
    passes_per_epoch: Count = Field(
        description="passes over the training photos before a validation"
    )
    images_per_epoch: Count | None = Field(
        description="images per epoch, over several passes if needed; null: by passes"
    )
    batch_size: Annotated[int, Field(ge=2)] = Field(description="images per batch")
    accumulation: Count = Field(
        description="batches per optimizer step; the loss sees one at a time"
    )
    lr: Annotated[float, Field(gt=0)] = Field(description="learning rate of AdamW")
    backbone_lr: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        description="factor on lr for the backbone; often below 1 for pretrained weights"
    )
    loss_lr: Factor = Field(description="factor on lr for the loss's own weights")
    warmup_epochs: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        description="epochs of linear warm-up from 0"
    )
    schedule: Literal["step", "cosine"] = Field(
        description="`step`: lr times lr_shrink after each epoch; `cosine`: half cosine to 0",
    )
    lr_shrink: Annotated[float, Field(gt=0, le=1)] = Field(
        description="factor on lr per epoch of schedule `step`"
    )
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        description="weight decay, except of norms, biases, embeddings, scales and GeM's p",
    )
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="decay of the weight EMA, which is validated and saved; 0: no EMA"
    )
    frozen_blocks: Annotated[int, Field(ge=0)] = Field(
        description="first blocks of the backbone to freeze, with the layers before them"
    )
    freeze_bn: bool = Field(description="keep the batch-norm statistics of the pretrained backbone")
    precision: Literal["float32", "bfloat16"] = Field(
        description="precision of the forward pass in training"
    )
    compile: bool = Field(description="use torch.compile: slow start, faster epochs")
    checkpointing: bool = Field(description="activation checkpointing: less memory, more time")
    scale: Factor | tuple[Factor, Factor] = Field(
        description="resizing factor of training images; two: first and last epoch"
    )
    augmentation: AugmentationParams | None
    patience: Count | None = Field(
        description="epochs without improvement before training stops; null: never"
    )
    select_by: Literal["mAP@k", "MAP@R"] = Field(
        description="validation score that selects the best epoch"
    )
    start_epoch: Annotated[int, Field(ge=-1)] | Literal["latest"] = Field(
        description="epoch to resume after; -1: start a new run"
    )
    show_batch: Count = Field(description="batches between progress bar updates")
    k: Count = Field(description="cut-off k of the validation mAP@k")
    device: str = Field(description="`auto`: CUDA if available, else `cpu`; or `cuda:1`")
    seed: Annotated[int, Field(ge=0)] = Field(
        description="random seed of weights, batches and augmentation"
    )

    @model_validator(mode="after")
    def _frozen_blocks_are_pretrained(self) -> "TrainingParams":
        if self.frozen_blocks and self.weights is None:
            raise ValueError(
                f"frozen_blocks = {self.frozen_blocks} would keep random weights; set it to 0, or "
                "weights to imagenet or a file"
            )
        return self

    @model_validator(mode="after")
    def _pooling_fits(self) -> "TrainingParams":
        if self.pooling == "cls" and not self.arch.startswith(("vit_", "timm/")):
            raise ValueError(f"pooling cls needs a class token, but {self.arch} has none")
        return self

    @model_validator(mode="after")
    def _tuples_go_together(self) -> "TrainingParams":
        if (self.loss.name == "TupleSoftmax") != (self.sampler.name == "tuples"):
            raise ValueError("loss TupleSoftmax and sampler tuples only work together")
        if self.loss.args.get("negatives", 4) != self.sampler.args.get("negatives", 4):
            raise ValueError("loss and sampler differ in the argument negatives")
        return self

    @model_validator(mode="after")
    def _a_batch_fits_the_memory(self) -> "TrainingParams":
        if 0 < self.memory < self.batch_size:
            raise ValueError(
                f"memory = {self.memory} is smaller than batch_size = {self.batch_size}"
            )
        return self

    @model_validator(mode="after")
    def _compiled_blocks_recompute_by_themselves(self) -> "TrainingParams":
        if self.compile and self.checkpointing:
            raise ValueError("compile and checkpointing exclude each other: choose one")
        return self
