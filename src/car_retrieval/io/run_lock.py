"""Lock of a project: any number of runs, or one command that deletes their results."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import portalocker

LOCK = Path("data", ".lock")


def lock_for_run(project: Path) -> portalocker.Lock:
    """Take the lock that runs share; the end of the process gives it back, however it ends.

    Raises:
        BlockingIOError: results are being deleted.
    """
    return _taken(project, portalocker.LockFlags.SHARED, "kedro prune is deleting results")


@contextmanager
def no_runs(project: Path) -> Iterator[None]:
    """Let no run begin.

    Raises:
        BlockingIOError: a run is in progress.
    """
    lock = _taken(project, portalocker.LockFlags.EXCLUSIVE, "a run is in progress")
    try:
        yield
    finally:
        lock.release()


def _taken(project: Path, kind: portalocker.LockFlags, why: str) -> portalocker.Lock:
    file = project / LOCK
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = portalocker.Lock(file, flags=kind | portalocker.LockFlags.NON_BLOCKING, timeout=0)
    try:
        lock.acquire()
    except portalocker.LockException:
        raise BlockingIOError(f"{why}: try again when it has ended") from None
    return lock
