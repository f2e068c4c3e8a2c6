"""Parameters of the pipeline `encoding`."""

from typing import Annotated, Literal

from pydantic import Field

from car_retrieval.params.base import Count, Factor, Fraction, Params


class WhiteningParams(Params):
    """Whitening of descriptors; see `car_retrieval.models.whitening.fit_whitening`."""

    kind: Literal["auto", "pca", "learnt"] = Field(
        description="by all variation, or within classes; auto: `pca` without training, else none"
    )
    dimension: Count | Literal["classes"] | None = Field(
        default=None, description="components kept; `classes`: as many as classes train; none: all"
    )
    power: Fraction = Field(default=1.0, description="of the deviation that is divided by")
    photos: Count = Field(default=20_000, description="training photos it is fitted to, at most")
    seed: Annotated[int, Field(ge=0)] = Field(default=7, description="of their choice")


class EncodingParams(Params):
    """Descriptors of a collection (`parameters_encoding.yml`)."""

    checkpoint: Literal["best"] | Annotated[int, Field(ge=0)] = "best"
    scales: Annotated[list[Factor], Field(min_length=1)] = [1.0]
    flip: bool = Field(False, description="describe each photo and its mirror image as one")
    whitening: WhiteningParams | None = WhiteningParams(kind="auto")
    batch_size: Count = Field(64, description="images")
    device: str = Field("auto", description="CUDA if there is one, else `cpu`; or `cuda:1`")
