"""Peak memory of a stage, and reuse of freed memory."""

import contextlib
import ctypes
import itertools
import platform
import threading

import psutil

SECONDS_BETWEEN_LOOKS = 0.05
LOOKS_PER_SEARCH = 40  # finding children reads the whole process table
TRIM_THRESHOLD, MMAP_MAX = -1, -4  # of mallopt, in glibc's malloc.h


def keep_freed_memory() -> None:
    """Let the C library retain up to 2 GiB of freed memory for later allocations.

    By default glibc maps each block of more than 32 MB from the system and unmaps it when it is
    freed. A network frees and allocates such a block a layer, and the system clears each page
    again, which takes as long as the convolutions (`benchmarks/freed_memory.py`). Other C
    libraries are left as they are.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(MMAP_MAX, 0)
        library.mallopt(TRIM_THRESHOLD, 2**31 - 1)


def return_freed_memory() -> None:
    """Return what `keep_freed_memory` kept to the system."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


class MemoryWatch:
    """The largest resident memory of this process and its children since the last `reset`."""

    def __init__(self) -> None:
        self._peak, self._stop = 0, threading.Event()
        self._process = psutil.Process()
        self._children: list[psutil.Process] = []
        threading.Thread(target=self._watch, daemon=True).start()

    def reset(self) -> int:
        """The peak in bytes, and begin anew."""
        self._look()
        peak, self._peak = self._peak, 0
        return peak

    def __enter__(self) -> "MemoryWatch":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()

    def _watch(self) -> None:
        for tick in itertools.count():
            if tick % LOOKS_PER_SEARCH == 0:
                self._children = self._process.children(recursive=True)
            self._look()
            if self._stop.wait(SECONDS_BETWEEN_LOOKS):
                return

    def _look(self) -> None:
        resident = 0
        for process in [self._process, *self._children]:
            with contextlib.suppress(psutil.Error):
                resident += process.memory_info().rss
        self._peak = max(self._peak, resident)
