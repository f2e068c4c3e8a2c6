"""Peak memory of a stage, and reuse of freed memory by the C library."""

import contextlib
import ctypes
import itertools
import platform
import threading

import psutil

SAMPLE_SECONDS = 0.05
SAMPLES_PER_SCAN = 40  # a scan for child processes reads the whole process table
TRIM_THRESHOLD, MMAP_MAX = -1, -4  # mallopt parameters of glibc's malloc.h


def keep_freed_memory() -> None:
    """Let glibc retain up to 2 GiB of freed memory for later allocations.

    By default glibc maps each block above 32 MB and unmaps it when freed. A network allocates such
    a block per layer, and zeroing its pages takes as long as the convolutions
    (`benchmarks/freed_memory.py`). No effect with other C libraries.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(MMAP_MAX, 0)
        library.mallopt(TRIM_THRESHOLD, 2**31 - 1)


def return_freed_memory() -> None:
    """Return the memory retained by `keep_freed_memory` to the system."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


class MemoryWatch:
    """Monitor of the peak resident memory of this process and its children since `reset`."""

    def __init__(self) -> None:
        self._peak, self._stop = 0, threading.Event()
        self._process = psutil.Process()
        self._children: list[psutil.Process] = []
        threading.Thread(target=self._watch, daemon=True).start()

    def reset(self) -> int:
        """Return the peak in bytes and reset it."""
        self._sample()
        peak, self._peak = self._peak, 0
        return peak

    def __enter__(self) -> "MemoryWatch":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop monitoring."""
        self._stop.set()

    def _watch(self) -> None:
        for tick in itertools.count():
            if tick % SAMPLES_PER_SCAN == 0:
                self._children = self._process.children(recursive=True)
            self._sample()
            if self._stop.wait(SAMPLE_SECONDS):
                return

    def _sample(self) -> None:
        resident = 0
        for process in [self._process, *self._children]:
            with contextlib.suppress(psutil.Error):
                resident += process.memory_info().rss
        self._peak = max(self._peak, resident)
