"""Deleting old versions, which Kedro never does by itself."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol
from kedro.io.core import AbstractVersionedDataset, VersionNotFoundError


def old_versions(datasets: Iterable[Any], keep: int) -> list[Path]:
    """The version folders of versioned datasets, all but the newest `keep` of each."""
    old: set[Path] = set()
    kept: set[Path] = set()
    for dataset in datasets:
        if isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None:
            try:
                versions = dataset.list_versions()
            except VersionNotFoundError:
                continue
            kept |= {Path(version).parent for version in versions[:keep]}
            old |= {Path(version).parent for version in versions[keep:]}
    return sorted(old - kept)


def delete(folders: Iterable[Path]) -> None:
    """Delete version folders."""
    for folder in folders:
        shutil.rmtree(folder)


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def project_datasets(catalog: CatalogProtocol) -> list[Any]:
    """Every dataset that the pipelines know, those made from patterns included."""
    from kedro.framework.project import pipelines

    names = {name for pipeline in pipelines.values() for name in pipeline.datasets()}
    found = (catalog.get(name) for name in sorted(names))
    return [dataset for dataset in found if dataset is not None]
