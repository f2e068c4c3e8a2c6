"""Parameters of the pipeline `encoding`."""

from typing import Annotated, Literal

from pydantic import Field

from car_retrieval.params.base import Count, Factor, Fraction, Params

FeatureLayers = Literal["head", "pooled", "stage"]


class WhiteningParams(Params):
    """Whitening of descriptors; see `car_retrieval.models.whitening.fit_whitening`."""

    kind: Literal["auto", "pca", "learnt"] = Field(
        description="`pca`: total covariance; `learnt`: within-class covariance; `auto`: what "
        "suits the network and the validation photos"
    )
    dimension: Count | Literal["classes", "twice_classes"] | None = Field(
        default=None,
        description="components kept; `classes`: number of training classes, `twice_classes`: "
        "twice that, rounded up to a multiple of 64; null: all",
    )
    power: Fraction = Field(
        default=1.0, description="exponent of the deviations to divide by; 1: full whitening"
    )
    photos: Count = Field(default=20_000, description="maximum number of training photos to fit on")
    seed: Annotated[int, Field(ge=0)] = Field(default=7, description="random seed of the sample")


class EncodingParams(Params):
    """Descriptors of a collection (`parameters_encoding.yml`)."""

    checkpoint: Literal["best"] | Annotated[int, Field(ge=0)]
    features: FeatureLayers | Literal["auto"] = Field(
        description="layers that describe photos: `head`, projection and neck as trained; "
        "`pooled`, the pooling before them; `stage`, that and the pooled last stage of an "
        "EfficientNet; `auto`: `stage` where whitening and photos of each class are enough for it",
    )
    scales: Annotated[list[Factor], Field(min_length=1)]
    flip: bool = Field(description="average the descriptors of photo and mirror image")
    whitening: WhiteningParams | None
    batch_size: Count = Field(description="images per batch")
    device: str = Field(description="`auto`: CUDA if available, else `cpu`; or `cuda:1`")
