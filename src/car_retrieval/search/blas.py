"""Kernel selection of faiss's OpenBLAS."""

import os
import platform
from pathlib import Path

AVX512 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
CPU_INFO = Path("/proc/cpuinfo")


def prefer_wide_kernels() -> None:
    """Make OpenBLAS use AVX-512 if the processor has it, unless the user has selected kernels.

    OpenBLAS selects kernels by processor model, and for an unknown model uses ones half as fast. It
    reads the environment variable when loaded, so call this before importing faiss.
    """
    if platform.machine() != "x86_64" or not CPU_INFO.exists():
        return
    lines = CPU_INFO.read_text().splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "")
    if set(flags.split()) >= AVX512:
        os.environ.setdefault("OPENBLAS_CORETYPE", "SKYLAKEX")
