"""Nodes of the sample_data pipeline."""

from collections.abc import Iterator

from car_retrieval.params import SampleParams
from car_retrieval.sample.tree import compcars_tree


def draw_sample(params: SampleParams) -> Iterator[tuple[str, bytes]]:
    """Draw a miniature CompCars from a seed.

    Returns:
        Relative path and content of each file, one at a time.
    """
    return compcars_tree(
        models=params.models,
        web_photos=params.web_photos,
        surveillance_photos=params.surveillance_photos,
        surveillance_models=params.surveillance_models,
        width=params.width,
        seed=params.seed,
    )
