"""`kedro compcars-unpack`: unpack the published archives of CompCars."""

import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import click
from tqdm import tqdm

from car_retrieval.cli.errors import PlainErrorCommand
from car_retrieval.data.multivolume_zip import Entry, SplitZip, WrongPasswordError
from car_retrieval.images.stream import in_order
from car_retrieval.io.atomic import atomic

PASSWORD = "COMPCARS_PASSWORD"
ARCHIVES = ("data.zip", "sv_data.zip")
RELEASE: dict[str, dict[str, tuple[str, int]]] = {
    "data.zip": {"data/image": (".jpg", 136_726), "data/label": (".txt", 136_726)},
    "sv_data.zip": {"sv_data/image": (".jpg", 44_481)},
}
WORKERS = 2
ROOM = 1 << 30  # bytes of disk space to leave free
TRIED = 8  # entries tested: a wrong password passes the check of 1 in 256


@click.command("compcars-unpack", cls=PlainErrorCommand)
@click.argument("archives", type=click.Path(path_type=Path))
@click.argument("dest", type=click.Path(path_type=Path))
def command(archives: Path, dest: Path) -> None:
    """Unpack CompCars from the split archives in ARCHIVES to DEST; resumes after an interruption.

    The password is read from the environment variable COMPCARS_PASSWORD.
    """
    if not os.environ.get(PASSWORD):
        raise ValueError(
            f"set the environment variable {PASSWORD} to the password: it is in the publisher's "
            "instruction.txt, beside the downloads"
        )
    unpack_compcars(archives, dest, os.environ[PASSWORD], say=click.echo)
    root = shlex.quote(str(dest))
    click.echo(f"next: COMPCARS_ROOT={root} kedro run --env=compcars --pipelines=data_processing")


def unpack_compcars(
    archives: Path,
    dest: Path,
    password: str,
    say: Callable[[str], None],
    release: Mapping[str, Mapping[str, tuple[str, int]]] = RELEASE,
) -> None:
    """Unpack the archives of a folder, and check the numbers of files.

    Files of the right size are skipped, so that a second call resumes an interrupted one.

    Args:
        archives: folder of data.zip, sv_data.zip or both, with all volumes.
        dest: folder for data/ and sv_data/.
        password: password from the publisher.
        say: function that prints a line.
        release: expected suffix and number of files by folder, for each archive.

    Raises:
        FileNotFoundError: there is no archive, or a volume is missing.
        ValueError: password, data or counts are wrong; the message has the remedy.
    """
    found = [archives / name for name in ARCHIVES if (archives / name).is_file()]
    if not found:
        raise FileNotFoundError(f"{archives}: found neither {' nor '.join(ARCHIVES)}")
    for file in found:
        unpack(SplitZip(file), dest, password.encode(), say)
    wrong = []
    for file in found:
        for folder, (suffix, expected) in release[file.name].items():
            count = count_files(dest / folder, suffix)
            say(f"{dest / folder}: {count:,} {suffix} of {expected:,}")
            if count != expected:
                wrong.append(f"{count:,} {suffix} in {dest / folder} instead of {expected:,}")
    if wrong:
        raise ValueError(
            "there are "
            + ", ".join(wrong)
            + f": remove files not in the release, or download {found[0].parent} again"
        )


def unpack(archive: SplitZip, dest: Path, password: bytes, say: Callable[[str], None]) -> None:
    """Unpack the missing files of an archive; each file is written atomically.

    Raises:
        ValueError: password or data are wrong, the disk is too small, or a path is outside `dest`.
    """
    name, entries = archive.volumes[-1].name, archive.entries
    for entry in entries:
        path = PurePosixPath(entry.name)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.name or ":" in entry.name:
            raise ValueError(f"{name}: the path {entry.name!r} is outside the folder")
    todo = [entry for entry in entries if _size(dest / entry.name) != entry.size]
    if len(todo) < len(entries):
        say(f"{name}: {len(entries) - len(todo):,} of {len(entries):,} files exist already")
    _check_password(archive, todo, password)
    size = sum(entry.size for entry in todo)
    dest.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(dest).free) < size + ROOM:
        raise ValueError(
            f"{dest}: {name} needs {(size + ROOM) / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are "
            "free"
        )

    def work(number: int) -> int:
        content = archive.read(todo[number], password)
        file = dest / todo[number].name
        with atomic(file) as part:
            part.write_bytes(content)
        return len(content)

    sizes = in_order(work, len(todo), WORKERS, window=16)
    with tqdm(total=size, desc=name, unit="B", unit_scale=True, disable=None) as bar:
        for written in sizes:
            bar.update(written)


def count_files(folder: Path, suffix: str) -> int:
    """Count the files below a folder with a suffix."""
    return sum(
        name.endswith(suffix) and not name.startswith(".")
        for _, _, names in os.walk(folder)
        for name in names
    )


def _check_password(archive: SplitZip, entries: list[Entry], password: bytes) -> None:
    """Read entries until one is valid: 1 in 256 wrong passwords passes the format's own check."""
    damage = None
    for entry in entries[:TRIED]:
        try:
            archive.read(entry, password)
            return
        except WrongPasswordError:
            file = archive.volumes[-1].name
            raise ValueError(
                f"the password in {PASSWORD} does not open {file}: it is in the publisher's "
                "instruction.txt, beside the downloads"
            ) from None
        except ValueError as error:
            damage = damage or error
    if damage:
        raise damage


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else -1
