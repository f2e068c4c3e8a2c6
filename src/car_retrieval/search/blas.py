"""Choice of the matrix kernels of faiss's OpenBLAS."""

import os
import platform
from pathlib import Path

AVX512 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
CPU_INFO = Path("/proc/cpuinfo")


def prefer_wide_kernels() -> None:
    """Let OpenBLAS use AVX-512 where the processor has it, unless the user chose kernels.

    OpenBLAS picks kernels by the processor's model number, and takes half as fast ones for a model
    that it does not know. It reads the variable when it is loaded, so this comes before faiss.
    """
    if platform.machine() != "x86_64" or not CPU_INFO.exists():
        return
    lines = CPU_INFO.read_text().splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "")
    if set(flags.split()) >= AVX512:
        os.environ.setdefault("OPENBLAS_CORETYPE", "SKYLAKEX")
