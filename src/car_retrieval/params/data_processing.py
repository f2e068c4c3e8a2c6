"""Parameters of the pipelines `sample_data` and `data_processing`."""

from typing import Annotated, Literal

from pydantic import Field

from car_retrieval.images.letterbox import Fill, Interpolation
from car_retrieval.images.truncated import Truncated
from car_retrieval.params.base import Count, Fraction, Params


class SampleParams(Params):
    """Synthetic miniature of CompCars (`parameters_sample_data.yml`)."""

    models: Annotated[int, Field(ge=3)] = Field(description="gallery classes")
    web_photos: Count = Field(description="web photos, all viewpoints together")
    surveillance_photos: Count = Field(description="query photos")
    surveillance_models: Count = Field(description="query classes")
    width: Annotated[int, Field(ge=32)]
    seed: Annotated[int, Field(ge=0)] = Field(description="random seed of the synthetic photos")


class DataParams(Params):
    """Listing, packing and splitting (`parameters_data_processing.yml`)."""

    front_views: list[int] = Field(description="viewpoints of gallery photos")
    rear_views: list[int] = Field(description="viewpoints listed in rear_photos")
    queries: Literal["all", "test"] = Field(
        description="surveillance list that supplies the queries"
    )
    image_size: Annotated[int, Field(ge=16)] | None = Field(
        description="side of packed photos in pixels; null: the size the weights expect"
    )
    fit: Literal["letterbox", "centre"] = Field(
        description="`letterbox`: pad the whole photo; `centre`: crop the centre, as in the "
        "evaluation of the weights",
    )
    interpolation: Literal["weights"] | Interpolation = Field(
        description="resizing kernel; `weights`: the kernel the weights expect"
    )
    crop: Literal["none", "box", "auto"] = Field(
        description="crop to the labelled box; `auto`: without a label, to the detected car",
    )
    fill: Fill = Field(description="padding of letterboxed photos")
    truncated: Truncated = Field(
        description="JPEGs that lack only their end marker, while no part of the picture is "
        "missing: `accept` or `refuse`"
    )
    max_rejected_fraction: Fraction = Field(
        description="largest share of unusable photos; more stop the run"
    )
    validate_by: Literal["image", "class"] = Field(
        description="validate on photos of training classes, or on held-out classes"
    )
    valid_ratio: Annotated[int, Field(ge=2)] = Field(
        description="number of photos, or classes, of which one validates"
    )
    twins: Literal["exclude", "keep"] = Field(
        description="label conflicts (one photo in several classes) in training"
    )
    near_duplicates: Annotated[int, Field(ge=0, le=7)] | None = Field(
        description="largest Hamming distance of near-duplicates' 64-bit hashes; null: exact "
        "copies only"
    )
    workers: Count = Field(description="decoding threads")
    seed: Annotated[int, Field(ge=0)] = Field(
        description="random seed of the split and the verification pairs"
    )
