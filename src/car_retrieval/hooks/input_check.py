"""Check that a partial run finds the results of earlier runs that it needs."""

from collections.abc import Iterable

from kedro.io import CatalogProtocol
from kedro.io.core import AbstractVersionedDataset

RENAMED = {
    "car_front": "gallery_photos",
    "car_rear": "rear_photos",
    "test_index": "query_photos",
    "imageset": "gallery_images",
    "test_image": "query_images",
    "database": "gallery_descriptors",
    "tdatabase": "query_descriptors",
}
"""Datasets by their earlier names."""


def refuse_old_names(names: Iterable[str]) -> None:
    """Refuse datasets of old names, which would be ignored.

    Raises:
        ValueError: names them, and their new names.
    """
    old = [f"{name} is now {RENAMED[name]}" for name in names if name in RENAMED]
    if old:
        raise ValueError(f"catalog: renamed datasets: {'; '.join(old)}")


def require_results(catalog: CatalogProtocol, names: Iterable[str]) -> None:
    """Refuse to begin where an input that a run makes is missing.

    Args:
        catalog: data catalog.
        names: datasets to be loaded; those without versions are none of ours to check.

    Raises:
        FileNotFoundError: names what is missing, and what to do.
    """
    missing = []
    for name in sorted(names):
        dataset = catalog.get(name)
        if not isinstance(dataset, AbstractVersionedDataset) or dataset._version is None:
            continue
        if dataset.exists():
            continue
        if wanted := dataset._version.load:
            raise FileNotFoundError(
                f"there is no version {wanted} of {name}: the versions are the folders in "
                f"{dataset._filepath}/"
            )
        missing.append(name)
    if missing:
        raise FileNotFoundError(
            f"there is no result yet of {', '.join(missing)}: run the pipelines that come before, "
            "or the whole job with `kedro run`, of the same --env"
        )
