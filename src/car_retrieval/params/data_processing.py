"""Parameters of the pipelines `sample_data` and `data_processing`."""

from typing import Annotated, Literal

from pydantic import Field

from car_retrieval.images.letterbox import Fill, Interpolation
from car_retrieval.params.base import Count, Fraction, Params


class SampleParams(Params):
    """The drawn miniature of CompCars (`parameters_sample_data.yml`)."""

    models: Annotated[int, Field(ge=3)] = Field(30, description="classes of the gallery")
    web_photos: Count = Field(900, description="of all viewpoints")
    surveillance_photos: Count = Field(300, description="the queries")
    surveillance_models: Count = Field(20, description="classes of the queries")
    width: Annotated[int, Field(ge=32)] = 192
    seed: Annotated[int, Field(ge=0)] = Field(7, description="of what is drawn")


class DataParams(Params):
    """Listing, packing and splitting (`parameters_data_processing.yml`)."""

    front_views: list[int] = Field([1, 4], description="viewpoints of the gallery")
    rear_views: list[int] = Field([2, 5], description="viewpoints listed in rear_photos")
    queries: Literal["all", "test"] = Field("all", description="surveillance list to query with")
    image_size: Annotated[int, Field(ge=16)] | None = Field(
        None, description="pixels a side; none: of the photos that the network's weights expect"
    )
    fit: Literal["letterbox", "centre"] = Field(
        "letterbox",
        description="the whole photo, with something around it, or its centre, as the network's "
        "weights were evaluated",
    )
    interpolation: Literal["weights"] | Interpolation = Field(
        "weights", description="of the resizing: as the network's weights expect it, or a kernel"
    )
    crop: Literal["none", "box", "auto"] = Field(
        "none",
        description="cut photos to their labelled box; auto: or else to the car found in them",
    )
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
    near_duplicates: Annotated[int, Field(ge=0, le=7)] | None = Field(
        5, description="bits of 64 by which files of one picture differ; none: exact copies only"
    )
    workers: Count = Field(2, description="decoding threads")
    seed: Annotated[int, Field(ge=0)] = Field(
        7, description="of the split and the verification pairs"
    )
