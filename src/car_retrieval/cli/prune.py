"""`kedro prune`: delete old versions and remains of killed runs, which Kedro keeps."""

import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol
from kedro.io.core import AbstractVersionedDataset, VersionNotFoundError

from car_retrieval.cli.errors import PlainErrorCommand
from car_retrieval.io.run_lock import no_runs


@click.command("prune", cls=PlainErrorCommand)
@click.option("--keep", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--dry-run", is_flag=True, help="Only print what would be deleted.")
@env_option
def command(keep: int, dry_run: bool, env: str | None) -> None:
    """Delete all but the latest versions of every dataset of an environment.

    What a kept version was made of is kept. Incomplete versions of killed runs are deleted.
    """
    context = KedroSession.create(env=env).load_context()
    with no_runs(Path(context.project_path)):
        _prune(context.catalog, keep, dry_run)


def _prune(catalog: CatalogProtocol, keep: int, dry_run: bool) -> None:
    paths = prunable(project_datasets(catalog), sources(), keep)
    size = sum(map(size_of, paths))
    doing = "would delete" if dry_run else "deleting"
    for what, together in by_version(paths).items():
        megabytes = sum(map(size_of, together)) / 1e6
        click.echo(f"{doing} {what}, {megabytes:,.1f} MB")
    if not dry_run:
        delete(paths)
    verb = "would delete" if dry_run else "deleted"
    click.echo(f"{verb} {size / 1e6:,.1f} MB in all")


def prunable(
    datasets: Mapping[str, Any], made_of: Mapping[str, Collection[str]], keep: int
) -> list[Path]:
    """List the old version folders and the remains of killed runs of versioned datasets.

    A version of which a kept version of another dataset was made is kept: the latest that is not
    newer.

    Args:
        datasets: datasets of any kind by name; those without versions are ignored.
        made_of: names of the datasets that each dataset was made of directly.
        keep: number of latest versions to keep per dataset; incomplete ones do not count.

    Returns:
        Sorted paths of version folders, and of files in other version folders.
    """
    versioned = {
        name: dataset
        for name, dataset in datasets.items()
        if isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None
    }
    left = {path for one in versioned.values() for path in _leftovers(Path(one._filepath))}
    folders = {name: _versions(dataset, left) for name, dataset in versioned.items()}
    kept = {name: set(found[:keep]) for name, found in folders.items()}
    todo = [(name, folder.name) for name, some in kept.items() for folder in some]
    while todo:
        name, version = todo.pop()
        for source in made_of.get(name, ()):
            earlier = (folder for folder in folders.get(source, ()) if folder.name <= version)
            if (folder := next(earlier, None)) and folder not in kept[source]:
                kept[source].add(folder)
                todo.append((source, folder.name))
    old = set().union(*folders.values()) - set().union(*kept.values())
    return sorted(old | {path for path in left if old.isdisjoint(path.parents)})


def _versions(dataset: AbstractVersionedDataset[Any, Any], left: set[Path]) -> list[Path]:
    """List the folders of complete versions, newest first."""
    try:
        folders = [Path(version).parent for version in dataset.list_versions()]
    except VersionNotFoundError:
        return []
    return [folder for folder in folders if folder not in left]


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


def project_datasets(catalog: CatalogProtocol) -> dict[str, Any]:
    """Return all datasets of the pipelines by name, including those from dataset factories."""
    names = {name for pipeline in pipelines.values() for name in pipeline.datasets()}
    found = {name: catalog.get(name) for name in sorted(names)}
    return {name: dataset for name, dataset in found.items() if dataset is not None}


def sources() -> dict[str, set[str]]:
    """Return the names of the datasets that each dataset is made of directly, in any pipeline."""
    made_of: dict[str, set[str]] = {}
    for pipeline in pipelines.values():
        for node in pipeline.nodes:
            for name in node.outputs:
                made_of.setdefault(name, set()).update(node.inputs)
    return made_of
