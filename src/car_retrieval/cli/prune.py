"""`kedro prune`: delete old versions and remains of killed runs, which Kedro keeps."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol
from kedro.io.core import AbstractVersionedDataset, VersionNotFoundError

from car_retrieval.cli.errors import PlainErrorCommand


@click.command("prune", cls=PlainErrorCommand)
@click.option("--keep", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--dry-run", is_flag=True, help="Only print what would be deleted.")
@env_option
def command(keep: int, dry_run: bool, env: str | None) -> None:
    """Delete all but the latest versions of every dataset of an environment.

    Incomplete versions of killed runs are deleted, too: do not prune during a run.
    """
    context = KedroSession.create(env=env).load_context()
    paths = prunable(project_datasets(context.catalog), keep)
    size = sum(map(size_of, paths))
    doing = "would delete" if dry_run else "deleting"
    for what, together in by_version(paths).items():
        megabytes = sum(map(size_of, together)) / 1e6
        click.echo(f"{doing} {what}, {megabytes:,.1f} MB")
    if not dry_run:
        delete(paths)
    verb = "would delete" if dry_run else "deleted"
    click.echo(f"{verb} {size / 1e6:,.1f} MB in all")


def prunable(datasets: Iterable[Any], keep: int) -> list[Path]:
    """List the old version folders and the remains of killed runs of versioned datasets.

    Args:
        datasets: datasets of any kind; those without versions are ignored.
        keep: number of latest versions to keep per dataset; incomplete ones do not count.

    Returns:
        Sorted paths of version folders, and of files in other version folders.
    """
    versioned = [
        dataset
        for dataset in datasets
        if isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None
    ]
    left = {path for dataset in versioned for path in _leftovers(Path(dataset._filepath))}
    old: set[Path] = set()
    kept: set[Path] = set()
    for dataset in versioned:
        try:
            folders = [Path(version).parent for version in dataset.list_versions()]
        except VersionNotFoundError:
            continue
        folders = [folder for folder in folders if folder not in left]
        kept |= set(folders[:keep])
        old |= set(folders[keep:])
    old -= kept
    return sorted(old | {path for path in left if old.isdisjoint(path.parents)})


def _leftovers(versions: Path) -> list[Path]:
    """Yield version folders without a complete file, and incomplete files in other folders."""
    found: list[Path] = []
    for folder in versions.glob("*/"):
        files = [file for file in folder.rglob("*") if file.is_file()]
        parts = [file for file in files if file.suffix == ".part"]
        unfinished = len(parts) == len(files) or (parts and not (folder / versions.name).exists())
        found += [folder] if unfinished else parts
    return found


def by_version(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Group paths by description: a version of some datasets, or one incomplete file."""
    versions: dict[str, list[Path]] = {}
    for path in paths:
        versions.setdefault(path.name if path.is_dir() else str(path), []).append(path)
    return {_described(name, versions[name]): versions[name] for name in sorted(versions)}


def _described(name: str, paths: list[Path]) -> str:
    if str(paths[0]) == name:
        return name
    return f"{name} of {len(paths)} dataset{'s' if len(paths) > 1 else ''}"


def delete(paths: Iterable[Path]) -> None:
    """Delete folders and files."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def project_datasets(catalog: CatalogProtocol) -> list[Any]:
    """Return all datasets of the pipelines, including those from dataset factories."""
    from kedro.framework.project import pipelines

    names = {name for pipeline in pipelines.values() for name in pipeline.datasets()}
    found = (catalog.get(name) for name in sorted(names))
    return [dataset for dataset in found if dataset is not None]
